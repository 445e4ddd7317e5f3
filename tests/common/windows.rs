//! Windows over images, written short.

use fallline::engine::kernels::image::Window;

/// Kernel, stride, padding and dilation, the same along height and width.
pub const fn window(kernel: usize, stride: usize, padding: usize, dilation: usize) -> Window {
    Window::square(kernel, stride, padding, dilation)
}

/// Kernel, stride, padding before and after, and dilation, of height and of width.
pub const fn sides(
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [[usize; 2]; 2],
    dilation: [usize; 2],
) -> Window {
    Window { kernel, stride, padding, dilation, one_dimensional: false }
}
