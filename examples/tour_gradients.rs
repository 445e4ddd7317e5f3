//! Exploration.
use fallline::data::generate_digits;
use fallline::{Activation, Init, LayerConfig, Model, Optimizer, Samples, Trainer};

const UNITS: usize = 32;
const HIDDEN: usize = 11;

fn dense(units: usize, a: Activation, init: Option<Init>, wn: bool) -> LayerConfig {
    let mut l = LayerConfig::dense(units, a).with("weight_norm", wn).unwrap();
    if let Some(i) = init {
        l = l.with("weight_init", i).unwrap();
    }
    l
}
fn stack(a: Activation, init: Option<Init>, wn: bool) -> Vec<LayerConfig> {
    let mut v: Vec<_> = (0..HIDDEN).map(|_| dense(UNITS, a, init, wn)).collect();
    v.push(dense(10, Activation::IDENTITY, init, wn));
    v
}
fn bn(a: Activation, init: Option<Init>) -> Vec<LayerConfig> {
    let mut v = Vec::new();
    for _ in 0..HIDDEN {
        v.push(dense(UNITS, Activation::IDENTITY, init, false).with("bias", false).unwrap());
        v.push(LayerConfig::batch_norm().with("activation", a).unwrap());
    }
    v.push(dense(10, Activation::IDENTITY, None, false));
    v
}
fn residual(a: Activation, two: bool) -> Vec<LayerConfig> {
    let mut v = vec![dense(UNITS, a, None, false)];
    for _ in 0..if two { 5 } else { 10 } {
        let mut inner = vec![dense(UNITS, a, None, false)];
        if two {
            inner.push(dense(UNITS, Activation::IDENTITY, None, false));
        }
        v.push(LayerConfig::residual(inner, Activation::IDENTITY));
    }
    v.push(dense(10, Activation::IDENTITY, None, false));
    v
}
fn model(layers: &[LayerConfig]) -> Model {
    let mut b = Model::of_images([28, 28, 1]).layer(LayerConfig::average_pool(4)).flatten();
    for l in layers {
        b = b.layer(l.clone());
    }
    b.build().unwrap()
}
type Change = fn(Trainer) -> Trainer;
fn look(name: &str, layers: &[LayerConfig], change: Change, train: &Samples, test: &Samples) {
    let mut m = model(layers);
    let first = change(Trainer::new().optimizer(Optimizer::sgd(1e-9)).batch(2000).epochs(1).threads(1))
        .fit(&mut m, train);
    match &first {
        Ok(r) => {
            let n: Vec<f64> = r.epochs[0].layers.iter().map(|l| l.gradient).collect();
            let all: f64 = n.iter().map(|g| g * g).sum::<f64>().sqrt();
            println!(
                "{name}: loss {:.3} ratio {:.2e} all {all:.2e} | {}",
                r.epochs[0].train_loss,
                n[0] / n[n.len() - 1],
                r.epochs[0]
                    .layers
                    .iter()
                    .map(|l| format!("{}:{:.1e}", l.layer, l.gradient))
                    .collect::<Vec<_>>()
                    .join(" ")
            );
        }
        Err(e) => println!("{name}: {e}"),
    }
    for rate in [0.01, 0.03, 0.1] {
        for momentum in [true] {
            let mut m = model(layers);
            let o = if momentum {
                Optimizer::named("momentum").unwrap().rate(rate)
            } else {
                Optimizer::sgd(rate)
            };
            let start = std::time::Instant::now();
            match change(Trainer::new().optimizer(o).batch(32).epochs(20).threads(1)).fit(&mut m, train) {
                Ok(r) => {
                    let s = start.elapsed().as_secs_f64();
                    let t = Trainer::new().threads(1).evaluate(&m, test).unwrap();
                    let n = &r.epochs[19].layers;
                    let (a, b) = match (n.first(), n.last()) {
                        (Some(a), Some(b)) => (a.gradient, b.gradient),
                        _ => (0.0, 0.0),
                    };
                    println!(
                        "   {rate}: acc {:.3} test loss {:.3} end ratio {:.1e} acc5 {:.3} div {:?} warn {} {s:.2}s",
                        t.accuracy.unwrap(),
                        t.loss,
                        a / b,
                        r.epochs[4].train_accuracy.unwrap(),
                        r.diverged.map(|d| d.what),
                        r.warnings
                            .iter()
                            .take(2)
                            .map(|w| format!("{:?} {} {}", w.trouble, w.layer, w.epoch))
                            .collect::<Vec<_>>()
                            .join(";")
                    );
                }
                Err(e) => println!("   {rate}: {e}"),
            }
        }
    }
}
fn main() {
    let d = generate_digits([2000, 1000], 1).unwrap();
    let (train, test) = (&d.train, &d.test);
    let s = Activation::SIGMOID;
    let x = |gain| Some(Init::XavierUniform { gain });
    let he = |gain: f32| Some(Init::KaimingNormal { gain: gain * 1.414_213_5 });
    let none: Change = |t| t;
    let clip: Change = |t| t.clip_norm(1.0);
    let maxn: Change = |t| t.change(|r| r.constraint.max_norm = Some(1.414));
    let clipw: Change = |t| t.change(|r| r.constraint.clip_weights = Some(0.5));
    if std::env::args().nth(1).as_deref() == Some("gains") {
        for g in [0.25, 0.5, 1.0, 1.5, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0] {
            for (n, a) in [("sigmoid", s), ("tanh", Activation::TANH), ("relu", Activation::RELU)] {
                for seed in 1..4 {
                    let init = if n == "relu" { he(g) } else { Some(Init::XavierNormal { gain: g }) };
                    let mut b = Model::of_images([28, 28, 1]).layer(LayerConfig::average_pool(4)).flatten();
                    for l in stack(a, init, false) {
                        b = b.layer(l);
                    }
                    let mut m = b.seed(seed).build().unwrap();
                    if let Ok(r) = Trainer::new()
                        .optimizer(Optimizer::sgd(1e-30))
                        .batch(2000)
                        .epochs(1)
                        .threads(1)
                        .fit(&mut m, train)
                    {
                        let n2: Vec<f64> = r.epochs[0].layers.iter().map(|l| l.gradient).collect();
                        let all: f64 = n2.iter().map(|g| g * g).sum::<f64>().sqrt();
                        println!(
                            "{n} gain {g} seed {seed}: loss {:.2e} ratio {:.2e} all {all:.1e}",
                            r.epochs[0].train_loss,
                            n2[0] / n2[11]
                        );
                    }
                }
            }
        }
        return;
    }
    look("sigmoid", &stack(s, None, false), none, train, test);
    look("sigmoid clip", &stack(s, None, false), clip, train, test);
    look("sigmoid clipw", &stack(s, None, false), clipw, train, test);
    look("sigmoid x4", &stack(s, x(4.0), false), none, train, test);
    look("sigmoid x6", &stack(s, x(6.0), false), none, train, test);
    look("sigmoid orth4", &stack(s, Some(Init::Orthogonal { gain: 4.0 }), false), none, train, test);
    look("sigmoid orth6", &stack(s, Some(Init::Orthogonal { gain: 6.0 }), false), none, train, test);
    look("sigmoid wn", &stack(s, None, true), none, train, test);
    look("sigmoid bn", &bn(s, None), none, train, test);
    look("sigmoid res2", &residual(s, true), none, train, test);
    look("sigmoid res1", &residual(s, false), none, train, test);
    look("tanh", &stack(Activation::TANH, None, false), none, train, test);
    look("relu", &stack(Activation::RELU, None, false), none, train, test);
    for g in [1.5, 2.0, 3.0] {
        println!("== relu gain {g}");
        let st = stack(Activation::RELU, he(g), false);
        look("relu large", &st, none, train, test);
        look("relu large clip", &st, clip, train, test);
        look("relu large maxn", &st, maxn, train, test);
        look("relu large clipw", &st, clipw, train, test);
        look(
            "relu large clip maxn",
            &st,
            |t| t.clip_norm(1.0).change(|r| r.constraint.max_norm = Some(1.414)),
            train,
            test,
        );
        look("relu large wn", &stack(Activation::RELU, he(g), true), none, train, test);
        look("relu large bn", &bn(Activation::RELU, he(g)), none, train, test);
    }
    for g in [3.0, 8.0] {
        println!("== tanh gain {g}");
        let st = stack(Activation::TANH, Some(Init::XavierNormal { gain: g }), false);
        look("tanh large", &st, none, train, test);
        look("tanh large clip", &st, clip, train, test);
        look("tanh large maxn", &st, |t| t.change(|r| r.constraint.max_norm = Some(1.0)), train, test);
        look(
            "tanh large wn",
            &stack(Activation::TANH, Some(Init::XavierNormal { gain: g }), true),
            none,
            train,
            test,
        );
        look("tanh large bn", &bn(Activation::TANH, Some(Init::XavierNormal { gain: g })), none, train, test);
    }
}
