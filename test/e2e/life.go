package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/probeshift/probeshift/test/chaos/podload"
)

// The names of the manifests.
const (
	webhookNamespace  = "probeshift"
	deploymentName    = "probeshift-webhook"
	secretName        = "probeshift-ca"
	configurationName = "grpc-probeshift"
)

// clients create Pods, at most rate in a second, while something happens to the
// webhook; settle is how long the newer version waits before it uses a new CA.
const (
	clients = 8
	rate    = 60
	settle  = 15 * time.Second
)

// life is the webhook's, from install to uninstall.
type life struct {
	screen                     io.Writer
	base, work, image, agnhost string
	client                     kubernetes.Interface
	// namespaces are those of the workloads, removed in the end.
	namespaces []string
	rows       []row
}

// row is what was created while something happened.
type row struct {
	name     string
	counts   podload.Counts
	reported bool // unmutated Pods are reported, not forbidden
}

// step is one stage of the life.
type step struct {
	name string
	run  func(ctx context.Context) error
}

// steps are all of them, in order.
func (l *life) steps() []step {
	return []step{
		{"install", l.install},
		{"opt in: new Pods come out rewritten", l.enable},
		{"audit: Pods stay as they are", l.audit},
		{"rotate the CA", l.rotate},
		{"upgrade, in the middle of the rotation", l.upgrade},
		{"lose the caBundle", l.wipe},
		{"restart", l.restart},
		{"lose a replica", l.lose},
		{"uninstall", l.uninstall},
		{"what was created meanwhile", l.printTable},
	}
}

// install installs the webhook.
func (l *life) install(ctx context.Context) error {
	dir, err := l.overlay(installed)
	if err != nil {
		return err
	}
	if err := l.kubectl(ctx, "", "apply", "-k", dir); err != nil {
		return err
	}
	return l.rolledOut(ctx)
}

// rolledOut waits until every replica is the newest one and Ready.
func (l *life) rolledOut(ctx context.Context) error {
	return l.kubectl(ctx, "", "rollout", "status", "deployment/"+deploymentName, "-n", webhookNamespace, "--timeout=3m")
}

// under creates Pods while something happens and a while longer. A Pod that is
// refused is an error, and so is a legacy one that comes back unmutated, unless
// that is only to be reported.
func (l *life) under(ctx context.Context, name string, reported bool, happens func() error) error {
	tally := &podload.Tally{}
	load := podload.Start(ctx, l.client, podload.Options{Namespace: enabledNamespace, Clients: clients, Rate: rate}, tally)
	defer load.Stop()
	if err := eventually(ctx, "Pods come back rewritten", func() bool {
		c := tally.Counts()
		return c.Legacy > len(c.Unmutated)
	}); err != nil {
		return err
	}
	tally = &podload.Tally{}
	load.Count(tally)
	if err := happens(); err != nil {
		return err
	}
	const quiet = 2 * time.Second
	time.Sleep(quiet)
	load.Stop()
	c := tally.Counts()
	l.rows = append(l.rows, row{name: name, counts: c, reported: reported})
	fmt.Fprintf(l.screen, "  meanwhile %d Pods were created, %d of them legacy: %d refused, %d unmutated\n",
		c.Pods, c.Legacy, len(c.Refused), len(c.Unmutated))
	switch {
	case len(c.Refused) > 0:
		return fmt.Errorf("%d Pods were refused, the first at %s", len(c.Refused), c.Refused[0])
	case c.Retried > 0:
		return fmt.Errorf("%d attempts did not reach the API server, the last: %s", c.Retried, c.Unreachable)
	case len(c.Unmutated) > 0 && !reported:
		return fmt.Errorf("%d legacy Pods came back unmutated, the first at %s", len(c.Unmutated), c.Unmutated[0].End.Format(time.StampMilli))
	}
	return nil
}

// rotate forces a rotation and waits until API servers trust both CAs. The new
// one is not used before they have trusted it for 15 minutes.
func (l *life) rotate(ctx context.Context) error {
	return l.under(ctx, "forced rotation", false, func() error {
		if err := l.kubectl(ctx, "", "annotate", "secret", secretName, "-n", webhookNamespace,
			"probeshift.dev/rotate="+time.Now().UTC().Format("2006-01-02")); err != nil {
			return err
		}
		return eventually(ctx, "two CAs are in every caBundle", func() bool {
			bundles := l.bundles(ctx)
			for _, bundle := range bundles {
				if certificates(bundle) < 2 {
					return false
				}
			}
			return len(bundles) > 0
		})
	})
}

// upgrade applies newer manifests, which let the rotation go on sooner, and
// waits until the new CA signs.
func (l *life) upgrade(ctx context.Context) error {
	dir, err := l.overlay(newer)
	if err != nil {
		return err
	}
	before, err := l.current(ctx)
	if err != nil {
		return err
	}
	return l.under(ctx, "upgrade and end of the rotation", false, func() error {
		if err := l.kubectl(ctx, "", "apply", "--server-side", "-k", dir); err != nil {
			return err
		}
		if err := l.rolledOut(ctx); err != nil {
			return err
		}
		if names := len(l.bundles(ctx)); names != 2 {
			return fmt.Errorf("the configuration has %d entries after the upgrade, not 2", names)
		}
		if err := eventually(ctx, "the new CA signs", func() bool {
			now, err := l.current(ctx)
			return err == nil && !bytes.Equal(before, now)
		}); err != nil {
			return err
		}
		fmt.Fprintln(l.screen, "  the new CA signs")
		return nil
	})
}

// restart restarts every replica.
func (l *life) restart(ctx context.Context) error {
	return l.under(ctx, "kubectl rollout restart", false, func() error {
		if err := l.kubectl(ctx, "", "rollout", "restart", "deployment/"+deploymentName, "-n", webhookNamespace); err != nil {
			return err
		}
		if err := l.rolledOut(ctx); err != nil {
			return err
		}
		return eventually(ctx, "the old replicas are gone", func() bool {
			pods, err := l.client.CoreV1().Pods(webhookNamespace).List(ctx, metav1.ListOptions{})
			return err == nil && len(pods.Items) == 2
		})
	})
}

// lose takes a replica away without a word. The calls that are on their way to
// it fail, and failurePolicy Ignore creates these Pods as they are.
func (l *life) lose(ctx context.Context) error {
	pods, err := l.client.CoreV1().Pods(webhookNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if len(pods.Items) == 0 {
		return errors.New("there is no replica")
	}
	return l.under(ctx, "kubectl delete pod --force", true, func() error {
		if err := l.kubectl(ctx, "", "delete", "pod", pods.Items[0].Name, "-n", webhookNamespace, "--force", "--grace-period=0"); err != nil {
			return err
		}
		return l.rolledOut(ctx)
	})
}

// current is the certificate of the CA that signs.
func (l *life) current(ctx context.Context) ([]byte, error) {
	secret, err := l.client.CoreV1().Secrets(webhookNamespace).Get(ctx, secretName, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return secret.Data["current.crt"], nil
}

// bundles are the live caBundles, none when they cannot be read.
func (l *life) bundles(ctx context.Context) [][]byte {
	c, err := l.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, configurationName, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	var all [][]byte
	for _, w := range c.Webhooks {
		all = append(all, w.ClientConfig.CABundle)
	}
	return all
}

// certificates counts the certificates of a bundle.
func certificates(bundle []byte) int {
	n := 0
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		n++
	}
	return n
}

// printTable prints what was created while something happened.
func (l *life) printTable(context.Context) error {
	table := tabwriter.NewWriter(l.screen, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "while\tPods\tdry run\tlegacy\trefused\tunmutated\tmust be")
	for _, r := range l.rows {
		must := "0"
		if r.reported {
			must = "reported"
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%s\n", r.name,
			r.counts.Pods, r.counts.DryRun, r.counts.Legacy, len(r.counts.Refused), len(r.counts.Unmutated), must)
	}
	return table.Flush()
}
