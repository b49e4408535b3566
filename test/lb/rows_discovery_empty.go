package main

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// showNeverEmpty does to discovery, and to the objects that it watches, what
// could make it believe for a moment that nobody is there. Behind a ClusterIP the
// smallest such moment shows: DNS leads to the ClusterIP, where connections are
// counted.
func showNeverEmpty(ctx context.Context, b *bed) error {
	p, connection, err := b.serveGreeter(ctx, 4, true)
	if err != nil {
		return err
	}
	defer hangUp(connection)
	times := pick(b, 5, 2)
	for _, one := range []struct {
		what  string
		times int
		do    func(context.Context) error
	}{
		{"discovery killed and started again", times, b.killAndRevive},
		{"discovery started while the API server hangs for 3 s", pick(b, 2, 1), b.reviveBeforeSynced},
		{"its watches expired, it lists again", pick(b, 2, 1), b.relist},
		{"its slice split in two, and merged", times, b.splitAndMerge},
		{"its slice deleted, and written again after 0.5 s", times, b.rewriteSlice},
		{"its port renamed, its slice 0.5 s later", times, b.renamePort},
		{"its Service deleted, and created again after 0.5 s", times, b.recreateService},
	} {
		l := startLoad(ctx, connection, loadDeadline, ask{})
		stop := p.watch(ctx, membersMetric)
		for range one.times {
			if err := one.do(ctx); err != nil {
				l.stop()
				return fmt.Errorf("%s: %w", one.what, err)
			}
			if err := pause(ctx, 3*time.Second); err != nil {
				l.stop()
				return err
			}
		}
		least := slices.Min(stop())
		met, seen := verdictOf(l.stop())
		through, err := b.greeter.through(ctx)
		if err != nil {
			return err
		}
		b.row(met && least > 0 && through == 0, fmt.Sprintf("%s, %d times", one.what, one.times), "never empty: none through the ClusterIP, none fails, no 2 s window under 70 %",
			"at least %d members, %d through the ClusterIP; %s", least, through, seen)
	}
	return nil
}

// killAndRevive kills discovery and starts it again.
func (b *bed) killAndRevive(ctx context.Context) error {
	d := b.discoveries[0]
	if err := d.signal(ctx, syscall.SIGKILL); err != nil {
		return err
	}
	return d.revive(ctx, b)
}

// reviveBeforeSynced starts discovery again while the API server does not
// answer, so that sidecars come back before it knows anything.
func (b *bed) reviveBeforeSynced(ctx context.Context) error {
	d := b.discoveries[0]
	if err := d.signal(ctx, syscall.SIGKILL); err != nil {
		return err
	}
	if err := b.plane.process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	if err := d.start(ctx, b); err != nil {
		return err
	}
	if err := pause(ctx, 3*time.Second); err != nil {
		return err
	}
	if err := b.plane.process.Signal(syscall.SIGCONT); err != nil {
		return err
	}
	return d.waitReady(ctx)
}

// relist has discovery's watches expire.
func (b *bed) relist(ctx context.Context) error {
	o := b.expired()
	if err := o.begin(ctx); err != nil {
		return err
	}
	return o.end(ctx)
}

// splitAndMerge moves half of the endpoints to a slice of their own and back, in
// either order.
func (b *bed) splitAndMerge(ctx context.Context) error {
	all, half, other := b.greeter.slice("all", b.backends[:4]...), b.greeter.slice("all", b.backends[:2]...), b.greeter.slice("other", b.backends[2:4]...)
	// First what takes away, then what adds.
	if err := b.greeter.write(ctx, half, other); err != nil {
		return err
	}
	if err := pause(ctx, 500*time.Millisecond); err != nil {
		return err
	}
	if err := b.greeter.erase(ctx, "other"); err != nil {
		return err
	}
	if err := b.greeter.write(ctx, all); err != nil {
		return err
	}
	if err := pause(ctx, 500*time.Millisecond); err != nil {
		return err
	}
	// The other way round: for a while addresses are in two slices.
	if err := b.greeter.write(ctx, other, half); err != nil {
		return err
	}
	if err := pause(ctx, 500*time.Millisecond); err != nil {
		return err
	}
	if err := b.greeter.write(ctx, all); err != nil {
		return err
	}
	return b.greeter.erase(ctx, "other")
}

// rewriteSlice deletes the only slice.
func (b *bed) rewriteSlice(ctx context.Context) error {
	if err := b.greeter.erase(ctx, "all"); err != nil {
		return err
	}
	if err := pause(ctx, 500*time.Millisecond); err != nil {
		return err
	}
	return b.greeter.write(ctx, b.greeter.slice("all", b.backends[:4]...))
}

// renamePort gives the Service's port another name and then its own again. The
// endpoint controller follows a moment later.
func (b *bed) renamePort(ctx context.Context) error {
	services := b.plane.client.CoreV1().Services(namespace)
	for _, name := range []string{"renamed", portName} {
		written, err := services.Get(ctx, greeterService, metav1.GetOptions{})
		if err != nil {
			return err
		}
		written.Spec.Ports[0].Name = name
		if _, err := services.Update(ctx, written, metav1.UpdateOptions{}); err != nil {
			return err
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
		slice := b.greeter.slice("all", b.backends[:4]...)
		slice.Ports[0].Name = &name
		if err := b.greeter.write(ctx, slice); err != nil {
			return err
		}
	}
	return nil
}

// recreateService deletes the Service; a tool that replaces objects does so.
func (b *bed) recreateService(ctx context.Context) error {
	if err := b.greeter.remove(ctx); err != nil {
		return err
	}
	if err := pause(ctx, 500*time.Millisecond); err != nil {
		return err
	}
	return b.greeter.create(ctx)
}
