//! Strongly connected components, without recursion: input decides how deep the graph is.

/// A directed graph: for each node, the nodes it leads to.
pub(super) type Graph = Vec<Vec<usize>>;

/// A component for each node: two nodes are in the same one iff each leads to the other.
pub(super) fn components(graph: &Graph) -> Vec<usize> {
    let reversed = reverse(graph);
    let mut component = vec![usize::MAX; graph.len()];
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

/// The graph with all its edges turned round.
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

/// The nodes in the order in which a depth-first search leaves them.
fn finished(graph: &Graph) -> Vec<usize> {
    let mut seen = vec![false; graph.len()];
    let mut order = Vec::new();
    for root in 0..graph.len() {
        let mut stack = vec![(root, 0)];
        while let Some((node, edge)) = stack.pop() {
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
