#[global_allocator]
static ALLOCATOR: fallline::tensor::Allocator = fallline::tensor::Allocator;

fn main() -> std::process::ExitCode {
    fallline::cli::main()
}
