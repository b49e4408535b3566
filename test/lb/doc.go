// Lb shows the load-balancing sidecar at work with the real Envoy: what happens
// without it, and what it does about streams, protocols, scaling, dying Pods,
// DNS that fails and applications that fail. It prints one table and ends with 1
// when a row is missed. Rows about time and memory are reported beside their
// target and fail nothing: a machine may be slow or busy.
//
// Each group of rows runs in a bed of its own, which is the same program in a
// network, mount and process namespace:
//
//   - a DNS server whose answers the rows change, as a cluster's DNS does,
//   - backends, processes on addresses of their own, which are killed, cut off
//     and slowed down,
//   - one Pod as the webhook patches it. Envoy is started with the arguments, the
//     environment, the user and the hosts file that the kubelet would take from
//     the patched Pod; nothing of its configuration is written here.
//
// The beds of discovery have more:
//
//   - the real API server and etcd, in which the rows write Services and
//     EndpointSlices as the endpoint controller would, at the moment in which a
//     Pod changes,
//   - what kube-proxy does for a ClusterIP, by rules of iptables that count the
//     connections,
//   - bin/webhook --run=discovery, which is stopped, hung, slowed and cut off,
//   - a DNS server that goes on with an old answer for 30 s, as CoreDNS does.
//
// The application is this program. It dials the name that it would dial without
// the sidecar.
//
// On a cluster (lb cluster) the webhook, the kubelet and the cluster's DNS do
// what is theirs: a table of its own shows the order of starts and stops,
// scaling under load, both ways to intercept, a Job and a drain.
package main
