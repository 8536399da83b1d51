//! Strongly connected components, without recursion: input decides how deep the graph is.

/// A directed graph: for each node, the nodes it leads to.
pub(super) type Graph = Vec<Vec<usize>>;

/// Returns a component for each node: two nodes are in the same one iff each leads to the other.
pub(super) fn components(graph: &Graph) -> Vec<usize> {
    let reversed = reverse(graph);
    let mut component = vec![usize::MAX; graph.len()];
    // Two searches: what was finished last leads to all others of its component, and back from it
    // lead only those.
    for root in finished(graph).into_iter().rev() {
        let mut stack = vec![root];
        while let Some(node) = stack.pop() {
            if component[node] == usize::MAX {
                component[node] = root;
                stack.extend(&reversed[node]);
            }
        }
    }
    component
}

/// Returns the graph with all its edges turned round.
pub(super) fn reverse(graph: &Graph) -> Graph {
    let mut reversed = vec![Vec::new(); graph.len()];
    for (from, edges) in graph.iter().enumerate() {
        for to in edges {
            reversed[*to].push(from);
        }
    }
    reversed
}

/// Marks everything that the nodes marked in `marked` lead to.
pub(super) fn spread(graph: &Graph, marked: &mut [bool]) {
    let mut stack: Vec<usize> = (0..marked.len()).filter(|node| marked[*node]).collect();
    while let Some(node) = stack.pop() {
        for &next in &graph[node] {
            if !marked[next] {
                marked[next] = true;
                stack.push(next);
            }
        }
    }
}

/// Returns the nodes in the order in which a depth-first search leaves them.
pub(super) fn finished(graph: &Graph) -> Vec<usize> {
    let mut seen = vec![false; graph.len()];
    let mut order = Vec::new();
    for root in 0..graph.len() {
        let mut stack = vec![(root, 0)];
        while let Some((node, edge)) = stack.pop() {
            // It was pushed once for each way to it.
            if edge == 0 && std::mem::replace(&mut seen[node], true) {
                continue;
            }
            match graph[node].get(edge) {
                Some(&next) => stack.extend([(node, edge + 1), (next, 0)]),
                None => order.push(node),
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_cycles() {
        let graph = vec![vec![1], vec![2, 3], vec![0], vec![4], vec![3], vec![5], vec![]];
        let of = components(&graph);
        assert!(of[0] == of[1] && of[1] == of[2]);
        assert!(of[3] == of[4] && of[3] != of[0]);
        assert!(of[5] != of[6] && of[5] != of[3]);
    }

    #[test]
    fn long_chains_need_no_stack() {
        let mut graph: Graph = (1..200_000).map(|next| vec![next]).collect();
        graph.push(vec![0]);
        let of = components(&graph);
        assert!(of.iter().all(|component| *component == of[0]));
    }

    #[test]
    fn marks_spread_along_edges() {
        let mut marked = [false, true, false, false];
        spread(&vec![vec![1], vec![2], vec![1], vec![0]], &mut marked);
        assert_eq!(marked, [false, true, true, false]);
    }
}
