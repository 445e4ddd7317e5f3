//! Which instruction set the kernels run on, chosen once at run time.
//!
//! Elementwise kernels are plain loops; [`vectorise`](crate::kernels::simd::vectorise::vectorise) compiles each of
//! them once per instruction set (AVX-512, AVX2 with FMA, the baseline) and calls the best one the
//! CPU has. `f32::mul_add` is one fused operation on all of them, so results do not depend on the
//! instruction set.

use std::sync::atomic::{AtomicU8, Ordering};

/// An x86-64 instruction set that kernels are compiled for. Elsewhere only the baseline exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// What every CPU of the target has (SSE2 on x86-64, NEON on Arm).
    Baseline = 1,
    /// AVX2 and FMA.
    Avx2 = 2,
    /// AVX-512 F, BW, CD, DQ, VL.
    Avx512 = 3,
}

impl Isa {
    /// All instruction sets that this CPU can run, the best last.
    pub fn available() -> Vec<Isa> {
        [Isa::Baseline, Isa::Avx2, Isa::Avx512].into_iter().filter(|isa| isa.is_available()).collect()
    }

    /// Whether this CPU can run it.
    pub fn is_available(self) -> bool {
        match self {
            Isa::Baseline => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => pulp::x86::V3::try_new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => pulp::x86::V4::try_new().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The instruction set in use: the best available one unless [`force`] chose another.
    pub fn current() -> Isa {
        match CURRENT.load(Ordering::Relaxed) {
            1 => Isa::Baseline,
            2 => Isa::Avx2,
            3 => Isa::Avx512,
            _ => {
                let best = *Isa::available().last().expect("the baseline is always available");
                CURRENT.store(best as u8, Ordering::Relaxed);
                best
            }
        }
    }

    /// A short name: "AVX-512".
    pub fn name(self) -> &'static str {
        match self {
            Isa::Baseline => "baseline",
            Isa::Avx2 => "AVX2",
            Isa::Avx512 => "AVX-512",
        }
    }
}

static CURRENT: AtomicU8 = AtomicU8::new(0);

/// Makes every kernel of the process run on `isa`, for tests and benchmarks.
///
/// # Panics
/// If the CPU does not have it.
pub fn force(isa: Isa) {
    assert!(isa.is_available(), "this CPU has no {}", isa.name());
    CURRENT.store(isa as u8, Ordering::Relaxed);
}

/// Runs `op` compiled for the instruction set in use. What `op` calls is compiled along with it
/// only if it is `#[inline(always)]`.
#[inline(always)]
pub fn dispatch<Op: pulp::WithSimd>(op: Op) -> Op::Output {
    // Safety: `current` names only what the CPU has.
    unsafe { run_on(Isa::current(), op) }
}

/// Runs `op` compiled for `isa`, which need not be the one in use; else as [`dispatch`].
///
/// # Panics
/// If the CPU does not have it.
#[inline(always)]
pub fn dispatch_on<Op: pulp::WithSimd>(isa: Isa, op: Op) -> Op::Output {
    assert!(isa.is_available(), "this CPU has no {}", isa.name());
    // Safety: just asked.
    unsafe { run_on(isa, op) }
}

/// # Safety
/// The CPU must have `isa`.
#[inline(always)]
unsafe fn run_on<Op: pulp::WithSimd>(isa: Isa, op: Op) -> Op::Output {
    #[cfg(target_arch = "x86_64")]
    // Safety: the caller's.
    return match isa {
        Isa::Avx512 => pulp::Simd::vectorize(unsafe { pulp::x86::V4::new_unchecked() }, op),
        Isa::Avx2 => pulp::Simd::vectorize(unsafe { pulp::x86::V3::new_unchecked() }, op),
        Isa::Baseline => pulp::Simd::vectorize(pulp::Scalar, op),
    };
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = isa;
        pulp::Arch::new().dispatch(op)
    }
}

/// The maker of the virtual machine that this is, by its own word: "KVM". Nothing on real hardware,
/// or where the CPU cannot be asked.
pub fn hypervisor() -> Option<String> {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::__cpuid;
        /// Of ecx in leaf 1.
        const VIRTUAL: u32 = 1 << 31;
        /// Where hypervisors leave their name.
        const NAME: u32 = 0x4000_0000;
        // Safety: every x86-64 CPU has the instruction, and without the leaf it gives other numbers.
        #[allow(unused_unsafe)] // newer compilers call it safe
        let (features, name) = unsafe { (__cpuid(1), __cpuid(NAME)) };
        if features.ecx & VIRTUAL != 0 {
            let bytes = [name.ebx, name.ecx, name.edx].map(u32::to_le_bytes).concat();
            return Some(maker(&bytes));
        }
    }
    None
}

/// What the twelve bytes stand for that a hypervisor leaves in the CPU's registers.
#[cfg(target_arch = "x86_64")]
fn maker(signature: &[u8]) -> String {
    let text = String::from_utf8_lossy(signature);
    let text = text.trim_matches(|letter: char| letter == '\0' || letter.is_whitespace());
    let name = match text {
        "KVMKVMKVM" => "KVM",
        "Microsoft Hv" => "Hyper-V",
        "VMwareVMware" => "VMware",
        "XenVMMXenVMM" => "Xen",
        "TCGTCGTCGTCG" => "QEMU",
        "VBoxVBoxVBox" => "VirtualBox",
        "" => "unknown",
        other => other,
    };
    name.chars().filter(|letter| !letter.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_gives_the_same_bits_on_every_instruction_set() {
        let x: Vec<f32> = (0..37).map(|i| (i as f32).sin()).collect();
        let run = |isa| {
            force(isa);
            let mut y = vec![0.0f32; x.len()];
            dispatch(
                #[inline(always)]
                || y.iter_mut().zip(&x).for_each(|(y, &x)| *y = x.mul_add(0.3, 0.1) / (1.0 + x * x).sqrt()),
            );
            y
        };
        let results: Vec<_> = Isa::available().into_iter().map(run).collect();
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    #[test]
    fn the_virtual_machine_is_named_where_the_system_sees_one() {
        let information = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        let flag = information.split_whitespace().any(|word| word == "hypervisor");
        assert_eq!(hypervisor().is_some(), flag);
        let names = [&b"KVMKVMKVM\0\0\0"[..], b"bhyve bhyve ", &[0; 12], b"ab\ncdefghijk"].map(maker);
        assert_eq!(names, ["KVM", "bhyve bhyve", "unknown", "abcdefghijk"]);
    }
}
