package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// uninstall removes the webhook and looks whether anything is left behind. The
// namespaces of the workloads go first, with the Pods that were rewritten.
func (l *life) uninstall(ctx context.Context) error {
	dir, err := l.overlay(installed)
	if err != nil {
		return err
	}
	return l.uninstallFrom(ctx, dir)
}

// uninstallFrom is the same for manifests that were changed since.
func (l *life) uninstallFrom(ctx context.Context, dir string) error {
	if there, _, err := leftovers(ctx); err != nil {
		return err
	} else if len(there) == 0 {
		return errors.New("the search for what is left behind does not even find what is there")
	}
	if _, err := ask(ctx, "", append([]string{"delete", "namespace"}, l.namespaces...)...); err != nil {
		return err
	}
	if err := l.kubectl(ctx, "", "delete", "-k", dir); err != nil {
		return err
	}
	left, kinds, err := leftovers(ctx)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
	fmt.Fprintf(l.screen, "  nothing of it is left among %d kinds of objects\n", kinds)
	return nil
}

// leftovers lists every object of the cluster whose name or labels are the
// webhook's, and says how many kinds were looked at. Events are not counted:
// the API server forgets them by itself.
func leftovers(ctx context.Context) (left []string, kinds int, err error) {
	said, err := ask(ctx, "", "api-resources", "--verbs=list", "--output=name")
	if err != nil {
		return nil, 0, err
	}
	var listed []string
	for kind := range strings.FieldsSeq(said) {
		if kind != "events" && kind != "events.events.k8s.io" {
			listed = append(listed, kind)
		}
	}
	objects, err := ask(ctx, "", "get", strings.Join(listed, ","), "--all-namespaces", "--ignore-not-found",
		"--output=custom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name,LABELS:.metadata.labels", "--no-headers")
	if err != nil {
		return nil, 0, err
	}
	for line := range strings.Lines(objects) {
		if strings.Contains(line, "probeshift") {
			left = append(left, strings.TrimSpace(line))
		}
	}
	return left, len(listed), nil
}
