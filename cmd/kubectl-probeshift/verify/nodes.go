package verify

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"k8s.io/client-go/kubernetes"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/screen"
	"github.com/probeshift/probeshift/pkg/kubeletprobe"
)

// helpersAtOnce is on how many nodes helper Pods run at once.
const helpersAtOnce = 5

// probeFromNodes probes each subject from its own node. Where a helper Pod does
// not come about its subjects are "can't tell"; the error is for when none does.
func (o *options) probeFromNodes(ctx context.Context, client kubernetes.Interface, all []*subject) error {
	byNode := map[string][]*subject{}
	for _, s := range all {
		byNode[s.node] = append(byNode[s.node], s)
	}
	progress := screen.NewProgress(o.streams.ErrOut, "nodes")
	defer progress.Done()
	var working sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	done := 0
	slots := make(chan struct{}, helpersAtOnce)
	for node, subjects := range byNode {
		working.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			err := o.probeFromNode(ctx, client, node, subjects)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, fmt.Errorf("node %s: %w", node, err))
			}
			done++
			progress.Set(done, len(byNode))
		})
	}
	working.Wait()
	if len(errs) > 0 && (len(errs) == len(byNode) || ctx.Err() != nil) {
		return errors.Join(errs...)
	}
	return nil
}

// probeFromNode probes the subjects of one node from there.
func (o *options) probeFromNode(ctx context.Context, client kubernetes.Interface, node string, subjects []*subject) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("interrupted: %w", err)
	}
	targets := make([]kubeletprobe.Target, len(subjects))
	for i, s := range subjects {
		targets[i] = s.target
	}
	answers, err := o.helper.probe(ctx, client, node, order{Plan: o.plan, Targets: targets})
	for i, s := range subjects {
		if err != nil {
			s.failed = "not probed: " + err.Error()
			continue
		}
		s.answers = answers[i]
	}
	return err
}
