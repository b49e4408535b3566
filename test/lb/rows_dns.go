package main

import (
	"context"
	"time"

	"google.golang.org/grpc"
)

// showDNS lets DNS fail under load.
func showDNS(ctx context.Context, b *bed) error {
	_, connection, err := b.served(ctx, 4, upstreams(greeterTarget))
	if err != nil {
		return err
	}
	defer hangUp(connection)
	for _, way := range []struct {
		name string
		mood mood
	}{{"DNS answers SERVFAIL", failing}, {"DNS does not answer", silent}} {
		if err := b.showMood(ctx, connection, way.name, way.mood); err != nil {
			return err
		}
	}
	return b.showNobody(ctx, connection)
}

// showMood answers in another way for a while.
func (b *bed) showMood(ctx context.Context, connection *grpc.ClientConn, name string, m mood) error {
	spell := pick(b, 4*refresh, refresh+3*time.Second)
	l := startLoad(ctx, connection, loadDeadline, ask{})
	defer l.stop()
	asked := b.names.questions(greeterName)
	b.names.be(m)
	if err := pause(ctx, spell); err != nil {
		return err
	}
	b.names.be(normal)
	all := l.stop()
	asked = b.names.questions(greeterName) - asked
	b.row(len(all.failed()) == 0 && asked > 0, name+" for "+spell.String(), "nothing is lost", "%s, %d questions", all.errors(), asked)
	return nil
}

// showNobody makes DNS say that there is no such name, as a headless Service
// without a ready Pod does, and takes the time once there is one again.
func (b *bed) showNobody(ctx context.Context, connection *grpc.ClientConn) error {
	const limit = 3 * refresh
	rounds := pick(b, 4, 1)
	wanted := refresh + time.Second
	var worst, best time.Duration
	for i := range rounds {
		b.names.set(greeterName)
		serves := func() bool {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, err := say(ctx, connection, ask{})
			return err == nil
		}
		if _, err := until(ctx, limit, func() bool { return !serves() }); err != nil {
			return err
		}
		// Any phase of the refresh.
		if err := pause(ctx, time.Duration(i+1)*1300*time.Millisecond); err != nil {
			return err
		}
		b.names.set(greeterName, addresses(b.backends)...)
		took, err := until(ctx, limit, serves)
		if err != nil {
			return err
		}
		worst = max(worst, took)
		if best == 0 || took < best {
			best = took
		}
	}
	b.row(worst <= wanted, "NXDOMAIN, then the addresses again", "serving within refresh (5 s) + 1 s", "after %.1f to %.1f s, %d times", best.Seconds(), worst.Seconds(), rounds)
	return nil
}

// showSilentDNS starts a Pod while DNS says nothing.
func showSilentDNS(ctx context.Context, b *bed) error {
	backends, err := b.start(ctx, 4)
	if err != nil {
		return err
	}
	b.names.set(greeterName, addresses(backends)...)
	b.names.be(silent)
	p, err := b.startPod(ctx, upstreams(greeterTarget))
	if err != nil {
		return err
	}
	const bound = 3 * time.Second
	b.row(p.ready <= bound, "DNS is silent from the start", "the application starts within 3 s", "after %.1f s", p.ready.Seconds())
	connection, err := dial(greeterTarget)
	if err != nil {
		return err
	}
	defer hangUp(connection)
	b.names.be(normal)
	begin := time.Now()
	if err := b.warm(ctx, connection, len(backends)); err != nil {
		return err
	}
	took := time.Since(begin)
	b.row(took <= followed, "DNS answers then", "serving within refresh (5 s) + 2 s", "after %.1f s", took.Seconds())
	return nil
}
