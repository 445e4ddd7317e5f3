fn main() -> std::process::ExitCode {
    fallline::cli::main()
}
