package envoy

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	caresv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/network/dns_resolver/cares/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
)

// program is Envoy.
func program(t *testing.T) string {
	t.Helper()
	path := os.Getenv("ENVOY")
	if path == "" {
		t.Fatal("ENVOY is not set: let it name Envoy's program, as in ENVOY=\"$(hack/tools/get envoy)\"")
	}
	return path
}

// cases are the bootstraps of pkg/sidecar/envoy/testdata, by name.
func cases(t *testing.T) map[string]*bootstrapv3.Bootstrap {
	t.Helper()
	files, err := filepath.Glob("../../pkg/sidecar/envoy/testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no bootstraps in pkg/sidecar/envoy/testdata (%v)", err)
	}
	all := map[string]*bootstrapv3.Bootstrap{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var b bootstrapv3.Bootstrap
		if err := protojson.Unmarshal(text, &b); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = &b
	}
	return all
}

// argument is a bootstrap as Envoy gets it from the kubelet, in a Pod with this
// address.
func argument(t *testing.T, b *bootstrapv3.Bootstrap, podIP string) string {
	t.Helper()
	text, err := envoy.Argument(b)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("$(POD_IP)", podIP, envoy.NodeZone, "zone-a", "$$", "$").Replace(text)
}

// askNameserver has a bootstrap ask this DNS server, not the machine's.
func askNameserver(t *testing.T, b *bootstrapv3.Bootstrap, server netip.AddrPort) {
	t.Helper()
	var resolver caresv3.CaresDnsResolverConfig
	if err := b.GetTypedDnsResolverConfig().GetTypedConfig().UnmarshalTo(&resolver); err != nil {
		t.Fatal(err)
	}
	resolver.Resolvers = []*corev3.Address{{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       server.Addr().String(),
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(server.Port())},
	}}}}
	packed, err := anypb.New(&resolver)
	if err != nil {
		t.Fatal(err)
	}
	b.TypedDnsResolverConfig.TypedConfig = packed
}

// start runs Envoy until the test ends, and returns once it is ready. The
// address is the Pod's.
func start(t *testing.T, b *bootstrapv3.Bootstrap, podIP string) *proxy {
	t.Helper()
	p := &proxy{t: t, admin: "http://" + netip.AddrPortFrom(netip.MustParseAddr(podIP),
		uint16(b.GetAdmin().GetAddress().GetSocketAddress().GetPortValue())).String()}
	command := exec.Command(program(t), "--config-yaml", argument(t, b, podIP),
		"--concurrency", "1", "--disable-hot-restart", "--log-level", "warn")
	command.Stdout, command.Stderr = &p.log, &p.log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p.pid = command.Process.Pid
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended
		<-ended
		if t.Failed() {
			t.Logf("Envoy said:\n%s", p.log.String())
		}
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("Envoy ended: %v", err)
		default:
		}
		if r, err := http.Get(p.admin + "/ready"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return p
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("Envoy is not ready after 30 s")
		}
	}
}

// proxy is a running Envoy.
type proxy struct {
	t     *testing.T
	admin string // the URL, without a path
	pid   int
	log   buffer
}

// get asks the admin interface.
func (p *proxy) get(path string) (status int, body string) {
	p.t.Helper()
	r, err := http.Get(p.admin + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// buffer is written by a process and read by a test.
type buffer struct {
	mu      sync.Mutex
	content bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.content.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.content.String()
}

// freePort is a port that nobody uses at an address.
func freePort(t *testing.T, address string) *corev3.SocketAddress_PortValue {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return &corev3.SocketAddress_PortValue{PortValue: uint32(netip.MustParseAddrPort(l.Addr().String()).Port())}
}
