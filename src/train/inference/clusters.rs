//! What lies in which cluster of k-means.

use crate::Result;
use crate::data::Samples;
use crate::model::Model;
use crate::model::recipe::DataConfig;
use crate::team::Team;
use crate::train::inference::evaluate::{evaluate, outputs};
use crate::train::record::metrics::{Cluster, ClusterMetrics};

/// The samples in each cluster of a model, and their classes, if they have some; None if the model is no k-means.
///
/// # Errors
/// If the samples do not fit the model, or memory is short.
pub(in crate::train) fn metrics(
    model: &Model,
    samples: &Samples,
    data: &DataConfig,
    team: &Team,
) -> Result<Option<ClusterMetrics>> {
    let Some(k_means) = model.config().k_means else { return Ok(None) };
    let inertia = evaluate(model, samples, data, team)?.loss;
    let distances = outputs(model, samples, data, team)?;
    let labels = samples.labels();
    let known = samples.encoder().map_or(0, |encoder| encoder.target.class_names().len());
    let most = labels.and_then(|labels| labels.iter().max());
    let classes = most.map_or(0, |&most| known.max(usize::from(most) + 1));
    let cluster = Cluster { samples: 0, inertia: None, classes: vec![0; classes] };
    let mut clusters = vec![cluster; k_means.clusters];
    for (sample, row) in distances.chunks_exact(k_means.clusters).enumerate() {
        let place = nearest(row);
        let cluster = &mut clusters[place];
        cluster.samples += 1;
        *cluster.inertia.get_or_insert(0.0) += f64::from(row[place]);
        if let Some(labels) = labels {
            cluster.classes[usize::from(labels[sample])] += 1;
        }
    }
    for cluster in &mut clusters {
        cluster.inertia = cluster.inertia.map(|sum| sum / cluster.samples as f64);
    }
    let most: usize = clusters.iter().filter_map(|cluster| cluster.classes.iter().max()).sum();
    let purity = labels.map(|labels| most as f64 / labels.len() as f64);
    Ok(Some(ClusterMetrics { inertia, purity, clusters }))
}

/// The index of the least distance, the first of several: the cluster of a sample. `[clusters]`.
pub fn nearest(distances: &[f32]) -> usize {
    let mut nearest = 0;
    for (index, distance) in distances.iter().enumerate() {
        if *distance < distances[nearest] {
            nearest = index;
        }
    }
    nearest
}
