package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/probeshift/probeshift/test/apiserver"
)

// What the webhook must reach through an API server, as ratios of Pods a
// second.
const (
	overFloorTarget  = 0.95
	overPolicyTarget = 1.3
)

// way is one way that a Pod takes through the API server: the Pods of the
// namespace of its name.
type way struct {
	kind
	// server is the process that it calls, if it calls one.
	server *process
}

// throughput is how many Pods a second each way takes for one workload; one
// value a round.
type throughput struct {
	workload
	pods map[string]sample
}

// ways sets up a namespace for each way through the API server.
func ways(ctx context.Context, client kubernetes.Interface, cert certificate, processes []*process) ([]way, error) {
	list := []way{
		{kind: kind{name: "none"}},
		{kind: kind{name: "policy", rewrites: true}},
	}
	for _, server := range processes {
		list = append(list, way{kind: server.kind, server: server})
	}
	for _, w := range list {
		if err := createNamespace(ctx, client, w.name); err != nil {
			return nil, err
		}
		if w.server != nil {
			if err := configureWebhook(ctx, client, w.name, w.server.url(), cert.bundle); err != nil {
				return nil, err
			}
		}
	}
	return list, configurePolicy(ctx, client, "policy")
}

// creator creates Pods by dry run, without a client's decoding in the way.
type creator struct {
	server *apiserver.Server
	client *http.Client
}

func newCreator(server *apiserver.Server) (*creator, error) {
	client, err := rest.HTTPClientFor(server.Config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return &creator{server: server, client: client}, nil
}

// create creates a Pod and returns it as the API server does.
func (c *creator) create(ctx context.Context, namespace string, pod []byte) ([]byte, error) {
	url := strings.TrimSuffix(c.server.Config.Host, "/") + "/api/v1/namespaces/" + namespace + "/pods?dryRun=All"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(pod))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("creating a Pod in %s: %w", namespace, err)
	}
	defer response.Body.Close()
	created, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("creating a Pod in %s: %w", namespace, err)
	}
	if response.StatusCode != http.StatusCreated {
		return nil, fmt.Errorf("creating a Pod in %s: %s: %s", namespace, response.Status, created)
	}
	return created, nil
}

// check holds a created Pod against what its way shall make of it.
func (c *creator) check(w way, load workload, created []byte) error {
	pod := &corev1.Pod{}
	if err := json.Unmarshal(created, pod); err != nil {
		return fmt.Errorf("reading a created Pod: %w", err)
	}
	if err := checkPod(w.kind, load, pod); err != nil {
		return fmt.Errorf("%s, %s, through the API server: %w", w.name, load.name, err)
	}
	return nil
}

// settle creates Pods until every way does what it shall. That of the floor
// shows in the API server's own count of calls alone.
func (c *creator) settle(ctx context.Context, list []way, loads []workload) error {
	const limit = 30 * time.Second
	deadline := time.Now().Add(limit)
	for {
		problem := c.tryAll(ctx, list, loads)
		if problem == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not as it should be after %s: %w", limit, problem)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func (c *creator) tryAll(ctx context.Context, list []way, loads []workload) error {
	for _, w := range list {
		for _, l := range loads {
			body, err := json.Marshal(l.pod)
			if err != nil {
				return err
			}
			created, err := c.create(ctx, w.name, body)
			if err != nil {
				return err
			}
			if err := c.check(w, l, created); err != nil {
				return err
			}
		}
		if w.server == nil {
			continue
		}
		if called, err := c.called(ctx, w); err != nil || !called {
			return fmt.Errorf("the API server does not call %s yet: %w", w.name, err)
		}
	}
	return nil
}

// called says whether the API server has called a webhook.
func (c *creator) called(ctx context.Context, w way) (bool, error) {
	client, err := kubernetes.NewForConfig(c.server.Config)
	if err != nil {
		return false, err
	}
	metrics, err := client.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return false, fmt.Errorf("reading the API server's metrics: %w", err)
	}
	for line := range strings.Lines(string(metrics)) {
		if strings.HasPrefix(line, "apiserver_admission_webhook_request_total{") &&
			strings.Contains(line, `name="`+webhookName(w.name)+`"`) {
			return true, nil
		}
	}
	return false, nil
}

// measureThroughput creates the Pods of each workload by each way, round by
// round.
func (c *creator) measureThroughput(ctx context.Context, p plan, list []way, loads []workload) ([]throughput, error) {
	var measured []throughput
	for _, l := range loads {
		t := throughput{workload: l, pods: map[string]sample{}}
		for range p.throughputRounds {
			took, err := c.measureRound(ctx, p, list, l)
			if err != nil {
				return nil, err
			}
			for i, w := range list {
				t.pods[w.name] = append(t.pods[w.name], float64(p.creates)/took[i].Seconds())
			}
		}
		measured = append(measured, t)
	}
	return measured, nil
}

// measureRound creates the Pods of one round and returns how long each way
// took. The ways alternate slice by slice, so that they share what else the
// machine and the API server do.
func (c *creator) measureRound(ctx context.Context, p plan, list []way, l workload) ([]time.Duration, error) {
	body, err := json.Marshal(l.pod)
	if err != nil {
		return nil, err
	}
	took := make([]time.Duration, len(list))
	for range p.creates / p.slice {
		for i, w := range list {
			begin := time.Now()
			err := load(ctx, p.clients, p.slice, func(ctx context.Context, n int) error {
				created, err := c.create(ctx, w.name, body)
				if err != nil || n > 0 {
					return err
				}
				return c.check(w, l, created)
			})
			if err != nil {
				return nil, err
			}
			took[i] += time.Since(begin)
		}
	}
	return took, nil
}

// printThroughput prints Pods a second by way and workload.
func printThroughput(out io.Writer, p plan, measured []throughput) error {
	fmt.Fprintf(out, "\nPods a second through a kube-apiserver (dry-run creates, %d clients), and as a multiple of the floor webhook's\n", p.clients)
	fmt.Fprintf(out, "(median of %d rounds, each of %d Pods that alternate in slices of %d, least and most in brackets)\n\n", p.throughputRounds, p.creates, p.slice)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "Pod\tno webhook\tfloor\ttextbook\tx floor\tpolicy in CEL\tx floor\tours\tx floor\ttarget\tx policy\ttarget\t")
	for _, t := range measured {
		floor, ours, policy := t.pods["floor"], t.pods["ours"], t.pods["policy"]
		overFloor, overPolicy := ours.over(floor).median(), ours.over(policy).median()
		fmt.Fprintf(table, "%s\t%.0f\t%.0f\t%.0f\t%s\t%.0f\t%s\t%.0f\t%s\t>= %.2f %s\t%.2f\t>= %.1f %s\n", t.name,
			t.pods["none"].median(), floor.median(),
			t.pods["textbook"].median(), t.pods["textbook"].over(floor),
			policy.median(), policy.over(floor),
			ours.median(), ours.over(floor), overFloorTarget, verdict(overFloor >= overFloorTarget),
			overPolicy, overPolicyTarget, verdict(overPolicy >= overPolicyTarget))
	}
	return table.Flush()
}
