#[global_allocator]
static ALLOCATOR: fallline::engine::tensor::Allocator = fallline::engine::tensor::Allocator;

fn main() -> std::process::ExitCode {
    fallline::cli::main()
}
