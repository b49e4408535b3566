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
	"slices"
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
	// discovery says that sidecars follow EndpointSlices.
	discovery bool
	// stays is how long a server stays after it was told to end.
	stays time.Duration
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
	only := flags.String("only", "", "comma-separated `steps`, such as changes,drain; all when empty")
	flags.DurationVar(&c.dnsCache, "dns-cache", 0, "the `time` that the cluster's DNS keeps answers; without discovery failures are then only reported")
	flags.BoolVar(&c.discovery, "discovery", false, "with the component lb-discovery: sidecars follow EndpointSlices")
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
	steps := slices.Concat([]clusterStep{{"install", c.install}, {"serve", c.serve}}, chosen(c.shows(), *only), []clusterStep{{"clean up", c.cleanUp}})
	for _, step := range steps {
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return c.table.end(time.Since(begin))
}

// clusterStep is a part of what is shown.
type clusterStep struct {
	name string
	run  func(ctx context.Context) error
}

// shows are the steps that show something, in order.
func (c *cluster) shows() []clusterStep {
	if c.discovery {
		return []clusterStep{
			{"balance", c.showBalance},
			{"services", c.showServices},
			{"changes", c.showChanges},
			{"leaving", c.showLeaving},
			{"away", c.showAway},
			{"job", c.showJob},
			{"a-sidecar-that-ends", c.showSidecarEnds},
			{"uninstalled", c.showUninstalled},
		}
	}
	return []clusterStep{
		{"start-order", c.showStartOrder},
		{"balance", c.showBalance},
		{"changes", c.showChanges},
		{"leaving", c.showLeaving},
		{"quick-rollout", c.showQuickRollout},
		{"ports-that-clash", c.showRewriting},
		{"job", c.showJob},
		{"a-sidecar-that-ends", c.showSidecarEnds},
		{"stop-order", c.showStopOrder},
		{"uninstalled", c.showUninstalled},
		{"drain", c.showDrain},
	}
}

// chosen are the steps with these names, all when there is none.
func chosen(steps []clusterStep, names string) []clusterStep {
	if names == "" {
		return steps
	}
	wanted := strings.Split(names, ",")
	return slices.DeleteFunc(steps, func(s clusterStep) bool { return !slices.Contains(wanted, s.name) })
}

// row prints a row.
func (c *cluster) row(met bool, what, wanted, seen string, a ...any) {
	c.table.add(row{What: what, Wanted: wanted, Seen: fmt.Sprintf(seen, a...), Met: met})
}

// lossless prints a row about failures, which are only reported where the
// sidecar works from DNS and that keeps what it knew.
func (c *cluster) lossless(met bool, what, wanted, seen string, a ...any) {
	reported := c.dnsCache > 0 && !c.discovery
	if reported {
		wanted = "reported"
	}
	c.table.add(row{What: what, Wanted: wanted, Seen: fmt.Sprintf(seen, a...), Met: met, Figure: reported})
}

// figure prints a row about time.
func (c *cluster) figure(met bool, what, wanted, seen string, a ...any) {
	c.table.add(row{What: what, Wanted: wanted, Seen: fmt.Sprintf(seen, a...), Met: met, Figure: true})
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
			"target": map[string]string{"kind": "Deployment", "name": "probeshift-webhook"},
			"patch":  `[{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--lb-image=` + c.envoy + `"}]`,
		}}
	}
	deployments := []string{"deployment/probeshift-webhook"}
	if c.discovery {
		kustomization["components"] = []string{filepath.Join(root, "components", "lb-discovery")}
		deployments = append(deployments, "deployment/"+discoveryName)
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
	for _, name := range deployments {
		if err := inProduct(ctx, "rollout", "status", name, "--timeout=3m"); err != nil {
			return err
		}
	}
	if !c.discovery {
		return nil
	}
	// Until it is there, new sidecars work from DNS.
	return inProduct(ctx, "wait", "--for=jsonpath={.data.ca\\.crt}", "configmap/"+discoveryName+"-ca", "--timeout=1m")
}

// inProduct runs kubectl in the product's namespace.
func inProduct(ctx context.Context, args ...string) error {
	_, err := kubectl(ctx, "", append([]string{"-n", "probeshift"}, args...)...)
	return err
}

// uninstall removes the product. It is no error when it is gone.
func (c *cluster) uninstall(ctx context.Context) error {
	_, err := kubectl(ctx, "", "delete", "--ignore-not-found", "-k", filepath.Join(c.work, "webhook"))
	return err
}

// cleanUp removes everything.
func (c *cluster) cleanUp(ctx context.Context) error {
	if _, err := kubectl(ctx, "", "delete", "namespace", namespace); err != nil {
		return err
	}
	return c.uninstall(ctx)
}
