// Command e2e proves the webhook on a real cluster, the one that KUBECONFIG
// names. It prints the commands that it runs, which are those of README.
//
//	e2e           the webhook's whole life: install, opt-in, rewrite, rotation,
//	(or e2e life) upgrade, restart, the loss of a replica, uninstall
//	e2e kubelet   what a real kubelet makes of rewritten probes: the same
//	              workload in a labelled and in an unlabelled namespace, made
//	              unhealthy and healthy again; every controller; the CPU it costs
//	e2e tls       TLS probes, as far as the feature gates of the cluster allow
//
// The cluster must not have the webhook already. The namespaces probeshift,
// shop, shop-audit and shop-legacy are made and, when everything went well,
// removed.
//
//	KUBECONFIG     the cluster, and an administrator of it
//	AGNHOST_IMAGE  an image with Kubernetes' agnhost as entrypoint and
//	               /bin/grpc_health_probe, which the cluster can pull or has
//	IMAGE          the webhook's image; default is what deploy/webhook names
package main
