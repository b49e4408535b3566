package envoy

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
)

func TestRequestsGoWhereDiscoverySays(t *testing.T) {
	pods := runPods(t, "127.0.52.1", "127.0.52.2", "127.0.52.3", "127.0.52.4")
	d := newDiscovery(t)
	d.serve(t, d.ca, discoveryName)
	d.tell(t, greeterResource, addrPorts(pods[1:]...)...)
	c := startClientOf(t, d, pods[0], envoy.Auto)
	c.calls(t, 300)
	got := reached(pods)
	t.Logf("calls by DNS and at the three that discovery told: %v", got)
	if got[0] > 0 || got[1] == 0 || got[2] == 0 || got[3] == 0 {
		t.Errorf("got %v calls, want all at the last three", got)
	}
	var names []string
	for i, r := range d.asked() {
		names = append(names, r.GetResourceNamesSubscribe()...)
		t.Logf("request %d: %d bytes, of which the node takes %d", i, proto.Size(r), proto.Size(r.GetNode()))
	}
	if len(names) != 1 {
		t.Errorf("two pools of one upstream asked for %q, want one name once", names)
	}
}

// Whatever is wrong with discovery, the application starts, and DNS names the
// members.
func TestWithoutDiscoveryTheSidecarStartsAndFollowsDNS(t *testing.T) {
	for name, run := range map[string]func(*testing.T, *discovery){
		"nobody listens":                 func(*testing.T, *discovery) {},
		"a certificate of another CA":    func(t *testing.T, d *discovery) { t.Helper(); d.serve(t, newAuthority(t), discoveryName) },
		"a certificate for another name": func(t *testing.T, d *discovery) { t.Helper(); d.serve(t, d.ca, "other.probeshift.svc") },
		"a server that says nothing":     func(t *testing.T, d *discovery) { t.Helper(); serveSilence(t, d.at) },
		"a name that DNS does not know":  func(_ *testing.T, d *discovery) { d.at = netip.AddrPortFrom(netip.Addr{}, d.at.Port()) },
		"it does not know the Service": func(t *testing.T, d *discovery) {
			t.Helper()
			d.endpoint.SetResources(nil)
			d.serve(t, d.ca, discoveryName)
		},
		"it knows that nobody is ready": func(t *testing.T, d *discovery) {
			t.Helper()
			d.tell(t, greeterResource)
			d.serve(t, d.ca, discoveryName)
		},
	} {
		t.Run(name, func(t *testing.T) {
			pods := runPods(t, "127.0.52.1", "127.0.52.2")
			d := newDiscovery(t)
			d.tell(t, greeterResource, pods[1].at)
			run(t, d)
			c := startClient(t, d, pods[0])
			c.calls(t, 100)
			if got := reached(pods); got[0] != 100 {
				t.Errorf("got %v calls, want 100 by DNS", got)
			}
		})
	}
}

// Nothing is known then; the application starts nevertheless.
func TestWithoutDiscoveryAndDNSTheSidecarStarts(t *testing.T) {
	d := newDiscovery(t)
	b := bootstrapOf(t, d, listenAt(t, "127.0.51.1"), 9000, envoy.Auto)
	silent, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer hangUp(silent)
	askNameserver(t, b, netip.MustParseAddrPort(silent.LocalAddr().String()))
	startTimed(t, b)
}

// serveSilence accepts connections and says nothing.
func serveSilence(t *testing.T, at netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hangUp(l) })
}

func TestADiscoveryThatComesBackIsFollowed(t *testing.T) {
	pods := runPods(t, "127.0.52.1", "127.0.52.2", "127.0.52.3")
	d := newDiscovery(t)
	c := startClient(t, d, pods[0])
	c.calls(t, 10)
	d.tell(t, greeterResource, pods[1].at)
	d.serve(t, d.ca, discoveryName)
	after := answerAfter(t.Context(), t, "a call where discovery says", func() bool { c.calls(t, 1); return pods[1].calls.Load() > 0 })
	t.Logf("a discovery that started is followed after %s", after.Round(time.Millisecond))
	d.stop()
	reached(pods)
	c.calls(t, 100)
	if got := reached(pods); got[1] != 100 {
		t.Errorf("discovery stopped, and the calls went %v, want all to the second", got)
	}
	d.tell(t, greeterResource, pods[2].at)
	d.serve(t, d.ca, discoveryName)
	after = answerAfter(t.Context(), t, "a call where discovery now says", func() bool { c.calls(t, 1); return pods[2].calls.Load() > 0 })
	t.Logf("a discovery that was restarted is followed after %s", after.Round(time.Millisecond))
}

func TestChangesAreFollowedAtOnceAndWhoLeftIsLeft(t *testing.T) {
	pods := runPods(t, "127.0.52.1", "127.0.52.2", "127.0.52.3", "127.0.52.4")
	d := newDiscovery(t)
	d.serve(t, d.ca, discoveryName)
	d.tell(t, greeterResource, addrPorts(pods[1:3]...)...)
	c := startClient(t, d, pods[0])
	c.calls(t, 100)
	d.tell(t, greeterResource, addrPorts(pods[2:]...)...)
	after := answerAfter(t.Context(), t, "a call at who came", func() bool { c.calls(t, 1); return pods[3].calls.Load() > 0 })
	t.Logf("first call at who came after %s", after.Round(time.Millisecond))
	answerAfter(t.Context(), t, "the end of the idle connection to who left", func() bool { return pods[1].open.Load() == 0 })
	reached(pods)
	c.calls(t, 200)
	if got := reached(pods); got[0]+got[1] > 0 {
		t.Errorf("got %v calls, want none at the first two", got)
	}
	// Nobody is left; DNS is asked what is there.
	d.tell(t, greeterResource)
	after = answerAfter(t.Context(), t, "a call by DNS", func() bool { c.calls(t, 1); return pods[0].calls.Load() > 0 })
	t.Logf("by DNS after %s", after.Round(time.Millisecond))
	reached(pods)
	c.calls(t, 100)
	if got := reached(pods); got[0] != 100 {
		t.Errorf("nobody is left, and the calls went %v, want all by DNS", got)
	}
}

// A stream, or a connection that is passed through, is the application's own: it
// ends with the Pod, not with its membership.
func TestWhatIsOpenOutlivesTheMembershipOfItsPod(t *testing.T) {
	for _, protocol := range []envoy.Protocol{envoy.HTTP, envoy.TCP} {
		t.Run(string(protocol), func(t *testing.T) {
			pods := runPods(t, "127.0.52.1", "127.0.52.2", "127.0.52.3")
			d := newDiscovery(t)
			d.serve(t, d.ca, discoveryName)
			d.tell(t, greeterResource, pods[1].at)
			c := startClientOf(t, d, pods[0], protocol)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			stream, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/shop.Greeter/Talk")
			if err != nil {
				t.Fatal(err)
			}
			answerAfter(ctx, t, "the stream's arrival", func() bool { return pods[1].calls.Load() > 0 })
			d.tell(t, greeterResource, pods[2].at)
			answerAfter(ctx, t, "a call at who came", func() bool {
				other := client{conn: dial(t, c.listen)} // one that is passed through stays where it is
				other.calls(t, 1)
				return pods[2].calls.Load() > 0
			})
			if err := stream.SendMsg(new(emptypb.Empty)); err != nil {
				t.Fatal(err)
			}
			if err := stream.RecvMsg(new(emptypb.Empty)); err != nil {
				t.Errorf("the stream to the Pod that left: %v", err)
			}
		})
	}
}

// Discovery is away, everyone that it told has been replaced, and DNS knows who is
// there now.
func TestAPoolOfNobodyIsLeftForDNS(t *testing.T) {
	for _, protocol := range []envoy.Protocol{envoy.HTTP, envoy.TCP} {
		t.Run(string(protocol), func(t *testing.T) {
			pods := runPods(t, "127.0.52.1", "127.0.52.2", "127.0.52.3", "127.0.52.4", "127.0.52.5")
			d := newDiscovery(t)
			d.serve(t, d.ca, discoveryName)
			d.tell(t, greeterResource, addrPorts(pods[1:]...)...)
			c := startClientOf(t, d, pods[0], protocol)
			c.calls(t, 20)
			d.stop()
			for _, p := range pods[1:] {
				p.kill()
			}
			failed, inARow := 0, 0
			after := answerAfter(t.Context(), t, "100 calls in a row that work", func() bool {
				if err := c.call(t.Context()); err == nil {
					inARow++
				} else if inARow = 0; status.Code(err) == codes.Unavailable {
					failed++
				}
				return inARow >= 100
			})
			t.Logf("100 calls in a row work after %s, %d failed before", after.Round(time.Millisecond), failed)
			reached(pods)
			c.calls(t, 200)
			if got := reached(pods); got[0] != 200 {
				t.Errorf("got %v calls, want 200 by DNS", got)
			}
		})
	}
}
