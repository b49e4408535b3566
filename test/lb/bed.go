package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

// The addresses of a bed. All are on its loopback device, which is the whole
// network.
var ( //nolint:gochecknoglobals // constants, which Go has no way to write
	podIP         = netip.MustParseAddr("10.244.1.10")
	nameserverIP  = netip.MustParseAddr("10.96.0.10")
	firstBackends = netip.MustParseAddr("10.244.2.1")
)

// namespace is that of the Pod, and where a name of one label is looked up.
const namespace = "shop"

// place is a folder that only this bed sees.
const place = "/mnt"

// bed is where one group of rows is shown.
type bed struct {
	options
	names *nameserver
	// backends are all that were ever started, the i-th at the i-th address.
	backends []*backend
	pods     []*pod
	// prefix stands before what each row shows.
	prefix string
	// policy is how the webhook injects the sidecar.
	policy sidecar.Policy
	out    *json.Encoder

	// What beds with discovery have.
	plane       *plane
	discoveries []*discovery
	// xds is the Service of discovery, greeter that of the backends.
	xds, greeter *service
	// zone is that of the node of Pods started beside the first, if it has one.
	zone string
	// stale is how long DNS goes on with what it said before a change.
	stale time.Duration
}

// runBed makes the namespaces that this process is in a bed, runs a group there
// and writes its rows as JSON.
func runBed(ctx context.Context, name string, o options, out io.Writer) error {
	chosen, err := choose([]string{name})
	if err != nil {
		return err
	}
	b := &bed{options: o, policy: sidecar.DefaultPolicy(), out: json.NewEncoder(out)}
	if err := b.furnish(ctx); err != nil {
		return fmt.Errorf("making the bed: %w", err)
	}
	if chosen[0].discovery {
		if err := b.furnishDiscovery(ctx); err != nil {
			return fmt.Errorf("starting discovery in the bed: %w", err)
		}
	}
	return chosen[0].run(ctx, b)
}

// furnish brings up the network, the folders and the DNS server.
func (b *bed) furnish(ctx context.Context) error {
	// Nothing that is mounted here is seen outside.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keeping mounts to ourselves: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting the new process namespace: %w", err)
	}
	if err := unix.Mount("tmpfs", place, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mounting a folder: %w", err)
	}
	if err := mountFile(b.envoy, filepath.Join(place, "envoy")); err != nil {
		return err
	}
	for _, file := range []string{"hosts", "resolv.conf"} {
		if err := os.WriteFile(filepath.Join(place, file), nil, 0o644); err != nil { //nolint:gosec // every user of a Pod reads it
			return err
		}
		if err := mountFile(filepath.Join(place, file), "/etc/"+file); err != nil {
			return err
		}
	}
	if err := ip(ctx, "link", "set", "lo", "up"); err != nil {
		return err
	}
	for _, address := range []netip.Addr{podIP, nameserverIP} {
		if err := ip(ctx, "addr", "add", address.String()+"/32", "dev", "lo"); err != nil {
			return err
		}
	}
	var err error
	b.names, err = startNameserver(netip.AddrPortFrom(nameserverIP, 53))
	return err
}

// mountFile makes a file be seen at another path as well.
func mountFile(from, to string) error {
	if _, err := os.Stat(to); err != nil {
		if err := os.WriteFile(to, nil, 0o755); err != nil { //nolint:gosec // an Envoy of another user runs it
			return err
		}
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting %s at %s: %w", from, to, err)
	}
	return nil
}

// row writes a row that fails the run when it is missed.
func (b *bed) row(met bool, what, wanted, seen string, a ...any) {
	b.write(row{What: what, Wanted: wanted, Seen: fmt.Sprintf(seen, a...), Met: met})
}

// figure writes a row that is only reported.
func (b *bed) figure(met bool, what, wanted, seen string, a ...any) {
	b.write(row{What: what, Wanted: wanted, Seen: fmt.Sprintf(seen, a...), Met: met, Figure: true})
}

func (b *bed) write(r row) {
	r.What = b.prefix + r.What
	if err := b.out.Encode(r); err != nil {
		fmt.Fprintln(os.Stderr, "a row is lost:", err)
	}
}

// drop makes every packet to an address vanish without a word, as when a node
// is lost, until the returned function is called.
func (b *bed) drop(ctx context.Context, address netip.Addr) (restore func() error, err error) {
	rule := []string{"INPUT", "-d", address.String(), "-j", "DROP"}
	if err := command(ctx, "iptables", append([]string{"-w", "-I"}, rule...)...); err != nil {
		return nil, err
	}
	return func() error { return command(ctx, "iptables", append([]string{"-w", "-D"}, rule...)...) }, nil
}

// ip calls ip.
func ip(ctx context.Context, args ...string) error { return command(ctx, "ip", args...) }

// command runs a program that has nothing to say.
func command(ctx context.Context, name string, args ...string) error {
	said, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, said)
	}
	return nil
}

// pause waits, unless the bed is to end.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// until waits until a condition holds and says how long that took. After the
// limit it says so.
func until(ctx context.Context, limit time.Duration, condition func() bool) (time.Duration, error) {
	const step = 20 * time.Millisecond
	begin := time.Now()
	for !condition() {
		if time.Since(begin) > limit {
			return time.Since(begin), fmt.Errorf("not after %s", limit)
		}
		if err := pause(ctx, step); err != nil {
			return time.Since(begin), err
		}
	}
	return time.Since(begin), nil
}
