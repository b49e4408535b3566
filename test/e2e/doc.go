// Command e2e takes the webhook through its whole life on a real cluster, the
// one that KUBECONFIG names: install, opt-in, rewrite, rotation, upgrade,
// restart, the loss of a replica, uninstall. It prints the commands that it
// runs, which are those of README.
//
// The cluster must not have the webhook already. Three namespaces are made and,
// when everything went well, removed: probeshift, shop and shop-audit.
//
//	KUBECONFIG     the cluster, and an administrator of it
//	AGNHOST_IMAGE  an image with Kubernetes' agnhost as entrypoint and
//	               /bin/grpc_health_probe, which the cluster can pull or has
//	IMAGE          the webhook's image; default is what deploy/webhook names
package main
