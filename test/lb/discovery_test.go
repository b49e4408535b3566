package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

func TestAWindowCountsWhatWasSentInIt(t *testing.T) {
	var all outcomes
	for i := range 80 { // 10 a second for 8 s, from the first second on
		begun := time.Second + time.Duration(i)*100*time.Millisecond
		one := outcome{begun: begun}
		if begun >= 3*time.Second && begun < 4*time.Second {
			one.err = errors.New("lost")
		}
		if begun >= 5*time.Second && begun < 6*time.Second {
			continue // the machine was too busy to send
		}
		all = append(all, one)
	}
	percent, begin := all.leastAnswered()
	if percent != 50 || begin != 3*time.Second {
		t.Errorf("%.0f %% at %s, want 50 %% at 3s", percent, begin)
	}
}

func TestARowAboutAChangeForgivesWhatWasInFlightAlone(t *testing.T) {
	lost := errors.New("lost")
	all := outcomes{
		{begun: 0, took: time.Second, backend: "a"},
		{begun: time.Second, took: time.Second, err: lost},
		{begun: 5 * time.Second, took: time.Second, backend: "a"},
	}
	killed := span{1500 * time.Millisecond, 1600 * time.Millisecond}
	for name, c := range map[string]struct {
		all  outcomes
		left []span
		met  bool
	}{
		"in flight on a killed Pod":       {all, []span{killed}, false}, // but a window is too empty
		"nobody was killed":               {all[:2], nil, false},
		"in flight, and no whole windows": {all[:2], []span{killed}, true},
	} {
		if met, seen := verdictOf(c.all, c.left...); met != c.met {
			t.Errorf("%s: met %t, want %t: %s", name, met, c.met, seen)
		}
	}
}

func TestTheFirstAndTheLastRequestOfABackendAreFound(t *testing.T) {
	all := outcomes{
		{begun: 3, backend: "a"}, {begun: 1, backend: "a"}, {begun: 2, backend: "b"}, {begun: 9, backend: "a", err: errors.New("lost")},
	}
	if first, last := all.firstAt("a"), all.lastAt("a"); first != 1 || last != 3 {
		t.Errorf("first %d, last %d, want 1 and 3", first, last)
	}
	if first, last := all.firstAt("c"), all.lastAt("c"); first != time.Hour || last != 0 {
		t.Errorf("one that answered nothing: first %s, last %s", first, last)
	}
	if whole := all.wholeFrom(2); whole != 9 {
		t.Errorf("whole from %d, want 9", whole)
	}
}

func TestASlowPathHandsOnEverythingLater(t *testing.T) {
	const delay = 20 * time.Millisecond
	s := &slowPath{delay: delay}
	reader, writer := io.Pipe()
	go func() {
		for i := range 3 {
			fmt.Fprintf(writer, "piece %d\n", i)
		}
		hangUp(writer)
	}()
	var got bytes.Buffer
	begin := time.Now()
	if err := s.late(t.Context(), &got, reader); !errors.Is(err, io.EOF) {
		t.Errorf("it ended with %v, want the end of what was read", err)
	}
	if want := "piece 0\npiece 1\npiece 2\n"; got.String() != want {
		t.Errorf("handed on %q, want %q", got.String(), want)
	}
	if time.Since(begin) < delay {
		t.Error("nothing was late")
	}
}

func TestAcceptedConnectionsAreCounted(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	address, err := netip.ParseAddrPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	count := func(want int) {
		t.Helper()
		if got, err := connectionsTo(address.Addr(), int(address.Port())); err != nil || got != want {
			t.Errorf("%d connections and %v, want %d", got, err, want)
		}
	}
	count(0)
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	count(1)
	hangUp(accepted)
	hangUp(connection)
	count(0)
}

func TestTheNameserverKeepsFamiliesApart(t *testing.T) {
	const name = "dual.shop.svc.cluster.local."
	n := &nameserver{zone: map[string][]netip.Addr{}, asked: map[string]int{}}
	n.set(name, netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7"))
	for kind, want := range map[uint16]string{dns.TypeA: "192.0.2.7", dns.TypeAAAA: "2001:db8::7"} {
		question := new(dns.Msg)
		question.SetQuestion(name, kind)
		got := n.answer(question)
		if len(got.Answer) != 1 || !strings.HasSuffix(got.Answer[0].String(), want) {
			t.Errorf("%s: %v, want %s", dns.TypeToString[kind], got.Answer, want)
		}
	}
}

func TestASliceSaysWhatTheEndpointControllerWouldSay(t *testing.T) {
	s := &service{name: "greeter", namespace: namespace, port: grpcPort}
	got := s.slice("all", &backend{address: netip.MustParseAddr("2001:db8::7")})
	want := []discoveryv1.Endpoint{{
		Addresses:  []string{"2001:db8::7"},
		Conditions: discoveryv1.EndpointConditions{Ready: new(true), Serving: new(true), Terminating: new(false)},
	}}
	if diff := cmp.Diff(want, got.Endpoints); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
	if got.AddressType != discoveryv1.AddressTypeIPv6 || got.Labels[discoveryv1.LabelServiceName] != "greeter" {
		t.Errorf("a slice of %s for %s, want IPv6 for greeter", got.AddressType, got.Labels[discoveryv1.LabelServiceName])
	}
	if empty := s.slice("all"); empty.Endpoints == nil {
		t.Error("no endpoints are null, which the API server refuses")
	}
}

func TestAServiceIsHeadlessOrHasItsClusterIP(t *testing.T) {
	s := &service{name: "greeter", namespace: namespace, port: grpcPort, families: []corev1.IPFamily{corev1.IPv6Protocol, corev1.IPv4Protocol}}
	if got := s.object().Spec; got.ClusterIP != corev1.ClusterIPNone || got.IPFamilyPolicy == nil || got.Selector == nil {
		t.Errorf("headless, dual-stack, with a selector: %+v", got)
	}
	s.ip, s.manual = greeterIP, true
	if got := s.object().Spec; got.ClusterIP != greeterIP.String() || got.Selector != nil {
		t.Errorf("with a ClusterIP and without a selector: %+v", got)
	}
}

func TestAVariableTakesALabelOfThePod(t *testing.T) {
	field := func(path string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}
	}
	got := environment(corev1.Container{Env: []corev1.EnvVar{
		{Name: "IP", ValueFrom: field("status.podIP")},
		{Name: "ZONE", ValueFrom: field("metadata.labels['topology.kubernetes.io/zone']")},
		{Name: "NONE", ValueFrom: field("metadata.labels['no/such']")},
	}}, map[string]string{corev1.LabelTopologyZone: ownZone}, podIP)
	if diff := cmp.Diff(map[string]string{"IP": podIP.String(), "ZONE": ownZone, "NONE": ""}, got); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}
