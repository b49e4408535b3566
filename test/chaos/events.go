package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// event is something that goes wrong.
type event struct {
	name string
	// replicas is how many there are meanwhile.
	replicas int
	// away tells that there is no API server for a while.
	away bool
	// must says which legacy Pods may come back unmutated.
	must must
	// run lets it happen and returns when everything is in order again, with
	// what was seen.
	run func(ctx context.Context, random *rand.Rand) (seen, error)
}

// must is what has to hold during an event, beside that no Pod is refused.
type must int

const (
	// nothingMissed: every legacy Pod comes back rewritten.
	nothingMissed must = iota
	// nothingMissedAfterRepair: every one that is created once it is repaired.
	nothingMissedAfterRepair
	// report: a replica is gone or too slow without a word, and the calls that
	// are on their way to it fail. failurePolicy Ignore creates these Pods as
	// they are; how many there are is counted.
	report
)

// seen is what an event leaves for the table.
type seen struct {
	// took is the time from its start to the order restored.
	took time.Duration
	// repaired is when the caBundle was back.
	repaired time.Time
}

// events are all of them, in the order in which they happen.
func (s *scene) events() []event {
	return []event{
		{name: "forced rotation of the CA", replicas: 3, run: s.rotate},
		{name: "deletion of the Secret", replicas: 2, run: s.deleteSecret},
		{name: "configuration replaced, caBundle gone", replicas: 2, must: nothingMissedAfterRepair, run: s.wipe},
		{name: "rolling restart of all replicas", replicas: 2, run: s.roll},
		{name: "API server restarted", replicas: 2, away: true, run: s.restartAPIServer},
		{name: "kill -9 of one replica", replicas: 2, must: report, run: s.killOne},
		{name: "SIGSTOP of one replica for 3 s", replicas: 2, must: report, run: s.suspendOne},
		{name: "burst of 500 Pods", replicas: 2, must: report, run: s.burst},
	}
}

// timed runs what and returns how long it took.
func timed(what func() error) (seen, error) {
	begin := time.Now()
	err := what()
	return seen{took: time.Since(begin)}, err
}

// rotate forces a rotation and waits until the old CA has left the caBundle.
func (s *scene) rotate(ctx context.Context, random *rand.Rand) (seen, error) {
	return timed(func() error {
		before := s.currentCA(ctx)
		patch := fmt.Sprintf(`{"metadata":{"annotations":{"probeshift.dev/rotate":"%d"}}}`, random.Uint64())
		if _, err := s.plane.client.CoreV1().Secrets(webhookNamespace).Patch(ctx, secretName,
			types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			return fmt.Errorf("ask for a rotation: %w", err)
		}
		return eventually(ctx, "another CA signs and the old one has left the caBundle", func() bool {
			now, bundles := s.currentCA(ctx), s.bundles(ctx)
			return len(now) > 0 && !bytes.Equal(now, before) && len(bundles) > 0 &&
				!bytes.Contains(bytes.Join(bundles, nil), bytes.TrimSpace(before))
		})
	})
}

// deleteSecret deletes the Secret and waits until it is back, with the same CA.
func (s *scene) deleteSecret(ctx context.Context, _ *rand.Rand) (seen, error) {
	return timed(func() error {
		before := s.currentCA(ctx)
		if err := s.plane.client.CoreV1().Secrets(webhookNamespace).Delete(ctx, secretName, metav1.DeleteOptions{}); err != nil {
			return err
		}
		if err := eventually(ctx, "the Secret is back", func() bool { return s.currentCA(ctx) != nil }); err != nil {
			return err
		}
		if !bytes.Equal(before, s.currentCA(ctx)) {
			return errors.New("the Secret is back with another CA")
		}
		return nil
	})
}

// wipe puts the configuration of the manifests, which has no caBundle, in the
// place of the live one, as kubectl replace does, and waits until the caBundle
// is back.
func (s *scene) wipe(ctx context.Context, _ *rand.Rand) (seen, error) {
	configurations := s.plane.client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	var replaced *admissionv1.MutatingWebhookConfiguration
	for {
		live, err := configurations.Get(ctx, configurationName, metav1.GetOptions{})
		if err != nil {
			return seen{}, err
		}
		object := s.manifests.configuration.DeepCopy()
		object.ResourceVersion = live.ResourceVersion
		if replaced, err = configurations.Update(ctx, object, metav1.UpdateOptions{}); err == nil {
			break
		}
		if !apierrors.IsConflict(err) {
			return seen{}, fmt.Errorf("replace the configuration: %w", err)
		}
	}
	begin := time.Now()
	watch, err := configurations.Watch(ctx, metav1.ListOptions{
		FieldSelector: "metadata.name=" + configurationName, ResourceVersion: replaced.ResourceVersion,
	})
	if err != nil {
		return seen{}, fmt.Errorf("watch for the repair: %w", err)
	}
	defer watch.Stop()
	for timeout := time.After(startTimeout); ; {
		select {
		case change, open := <-watch.ResultChan():
			if !open {
				return seen{}, errors.New("the watch for the repair ended")
			}
			if c, ok := change.Object.(*admissionv1.MutatingWebhookConfiguration); ok && whole(c) {
				now := time.Now()
				return seen{took: now.Sub(begin), repaired: now}, nil
			}
		case <-timeout:
			return seen{}, errors.New("nobody repaired the caBundle")
		}
	}
}

// whole tells whether every entry has a caBundle.
func whole(c *admissionv1.MutatingWebhookConfiguration) bool {
	for _, w := range c.Webhooks {
		if len(w.ClientConfig.CABundle) == 0 {
			return false
		}
	}
	return len(c.Webhooks) > 0
}

// roll replaces every replica as the Deployment does: a new one becomes ready
// before an old one is told to end. The new ones give their leaves a longer
// life.
func (s *scene) roll(ctx context.Context, _ *rand.Rand) (seen, error) {
	s.leafLife = longLeafLife
	return timed(func() error {
		for range len(s.replicas) {
			oldest := s.replicas[0]
			fresh, err := s.startReplica(ctx)
			if err != nil {
				return err
			}
			if err := s.waitReady(ctx, fresh); err != nil {
				return err
			}
			if err := s.stop(oldest); err != nil {
				return err
			}
		}
		return nil
	})
}

// killOne kills a replica and starts another in its place.
func (s *scene) killOne(ctx context.Context, random *rand.Rand) (seen, error) {
	return timed(func() error {
		victim := s.replicas[random.IntN(len(s.replicas))]
		if err := s.kill(victim); err != nil {
			return err
		}
		if err := eventually(ctx, "the dead replica is left out", func() bool { return !s.forwarder.isIn(victim.backend) }); err != nil {
			return err
		}
		s.forget(victim)
		fresh, err := s.startReplica(ctx)
		if err != nil {
			return err
		}
		return s.waitReady(ctx, fresh)
	})
}

// suspendOne suspends a replica for three seconds.
func (s *scene) suspendOne(ctx context.Context, random *rand.Rand) (seen, error) {
	return timed(func() error {
		victim := s.replicas[random.IntN(len(s.replicas))]
		if err := victim.command.Process.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		time.Sleep(3 * time.Second)
		if err := victim.command.Process.Signal(syscall.SIGCONT); err != nil {
			return err
		}
		return s.waitReady(ctx, victim)
	})
}

// burst creates 500 Pods at once.
func (s *scene) burst(ctx context.Context, _ *rand.Rand) (seen, error) {
	return timed(func() error {
		s.load.Burst(ctx, 500)
		return nil
	})
}

// restartAPIServer restarts the API server.
func (s *scene) restartAPIServer(ctx context.Context, _ *rand.Rand) (seen, error) {
	return timed(func() error { return s.plane.restart(ctx) })
}

// currentCA is the certificate that signs, nil when there is no Secret.
func (s *scene) currentCA(ctx context.Context) []byte {
	secret, err := s.plane.client.CoreV1().Secrets(webhookNamespace).Get(ctx, secretName, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return secret.Data["current.crt"]
}

// bundles are the live caBundles, none when they cannot be read.
func (s *scene) bundles(ctx context.Context) [][]byte {
	c, err := s.plane.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, configurationName, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	var all [][]byte
	for _, w := range c.Webhooks {
		all = append(all, w.ClientConfig.CABundle)
	}
	return all
}
