package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// clusterCommand is the first argument of this program when it shows the
// sidecar on a cluster.
const clusterCommand = "cluster"

const clusterUsage = `lb cluster shows the sidecar on the cluster that KUBECONFIG names. The cluster
must not have the webhook already; the namespaces probeshift and shop are made
and, when everything went well, removed. It needs kubectl.

  IMAGE        the webhook's image; default is what the manifests name
  ENVOY_IMAGE  Envoy's image; default is the webhook's own default
  LB_IMAGE     an image with this program as its entry point (required)

`

// cluster is a real one, at work.
type cluster struct {
	table    *table
	screen   io.Writer
	work     string
	base     string
	image    string
	envoy    string
	lb       string
	dnsCache time.Duration
}

// runCluster goes through everything and ends at the first step that breaks;
// what is there then stays, to be looked at.
func runCluster(ctx context.Context, args []string, out io.Writer) error {
	c := &cluster{
		screen: out, table: &table{out: out},
		image: os.Getenv("IMAGE"), envoy: os.Getenv("ENVOY_IMAGE"), lb: os.Getenv("LB_IMAGE"),
	}
	flags := flag.NewFlagSet(clusterCommand, flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), clusterUsage)
		flags.PrintDefaults()
	}
	flags.StringVar(&c.base, "manifests", "deploy/webhook", "`directory` of the webhook's manifests")
	flags.DurationVar(&c.dnsCache, "dns-cache", 0, "the `time` that the cluster's DNS keeps answers; failures are then only reported")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if c.lb == "" || os.Getenv("KUBECONFIG") == "" {
		return errors.New("KUBECONFIG and LB_IMAGE must be set; see lb cluster --help")
	}
	var err error
	if c.work, err = os.MkdirTemp("", "lb-"); err != nil {
		return err
	}
	defer os.RemoveAll(c.work) //nolint:errcheck // a leftover in the temporary directory harms nobody
	begin := time.Now()
	printHeader(out)
	for _, step := range []struct {
		name string
		run  func(ctx context.Context) error
	}{
		{"install", c.install},
		{"serve", c.serve},
		{"start order", c.showStartOrder},
		{"balance", c.showBalance},
		{"scale", c.showScale},
		{"ports that clash", c.showRewriting},
		{"job", c.showJob},
		{"a sidecar that ends", c.showSidecarEnds},
		{"stop order", c.showStopOrder},
		{"drain", c.showDrain},
		{"clean up", c.cleanUp},
	} {
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return c.table.end(time.Since(begin))
}

// row prints a row.
func (c *cluster) row(met bool, what, wanted, seen string, a ...any) {
	c.table.add(row{What: what, Wanted: wanted, Seen: fmt.Sprintf(seen, a...), Met: met})
}

// lossless prints a row about failures, which are only reported where DNS keeps
// what it knew.
func (c *cluster) lossless(met bool, what, wanted, seen string, a ...any) {
	if c.dnsCache > 0 {
		wanted = "reported"
	}
	c.table.add(row{What: what, Wanted: wanted, Seen: fmt.Sprintf(seen, a...), Met: met, Figure: c.dnsCache > 0})
}

// kubectl runs kubectl and returns what it said. Input may be empty.
func kubectl(ctx context.Context, input string, args ...string) (string, error) {
	var said, complaint bytes.Buffer
	command := exec.CommandContext(ctx, "kubectl", args...)
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &said, &complaint
	if err := command.Run(); err != nil {
		return said.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return said.String(), nil
}

// inShop runs kubectl in the namespace of the workloads.
func inShop(ctx context.Context, args ...string) (string, error) {
	return kubectl(ctx, "", append([]string{"-n", namespace}, args...)...)
}

// get reads an object or a list of them.
func get(ctx context.Context, into any, args ...string) error {
	said, err := inShop(ctx, append([]string{"get", "-o", "json"}, args...)...)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(said), into)
}

// install installs the webhook with the images of the environment.
func (c *cluster) install(ctx context.Context) error {
	dir := filepath.Join(c.work, "webhook")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	base, err := filepath.Abs(c.base)
	if err != nil {
		return err
	}
	root, err := filepath.Rel(dir, base)
	if err != nil {
		return err
	}
	kustomization := map[string]any{"resources": []string{root}}
	if c.image != "" {
		name, tag, _ := strings.Cut(c.image, ":")
		kustomization["images"] = []map[string]string{{"name": "localhost/probeshift/webhook", "newName": name, "newTag": tag}}
	}
	if c.envoy != "" {
		kustomization["patches"] = []map[string]any{{
			"target": map[string]string{"kind": "Deployment"},
			"patch":  `[{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--lb-image=` + c.envoy + `"}]`,
		}}
	}
	content, err := yaml.Marshal(kustomization)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), content, 0o600); err != nil {
		return err
	}
	if _, err := kubectl(ctx, "", "apply", "-k", dir); err != nil {
		return err
	}
	_, err = kubectl(ctx, "", "-n", "probeshift", "rollout", "status", "deployment/probeshift-webhook", "--timeout=3m")
	return err
}

// cleanUp removes everything.
func (c *cluster) cleanUp(ctx context.Context) error {
	if _, err := kubectl(ctx, "", "delete", "namespace", namespace); err != nil {
		return err
	}
	_, err := kubectl(ctx, "", "delete", "-k", filepath.Join(c.work, "webhook"))
	return err
}
