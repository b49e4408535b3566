package envoy

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// nameserver answers every question about a name that it knows with these
// addresses, or with SERVFAIL where there are none, and every other one with
// NXDOMAIN, as a cluster's DNS does for a headless Service without ready Pods. It
// returns its address.
func nameserver(t *testing.T, zone map[string][]netip.Addr) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hangUp(conn) })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			if answer, err := answer(buffer[:n], zone); err == nil {
				_, _ = conn.WriteToUDPAddrPort(answer, from) // the other side asks again
			}
		}
	}()
	return netip.MustParseAddrPort(conn.LocalAddr().String())
}

func answer(question []byte, zone map[string][]netip.Addr) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return nil, err
	}
	m.Response, m.Additionals = true, nil
	for _, q := range m.Questions {
		addresses, known := zone[q.Name.String()]
		switch {
		case !known:
			m.RCode = dnsmessage.RCodeNameError
		case len(addresses) == 0:
			m.RCode = dnsmessage.RCodeServerFailure
		}
		for _, a := range addresses {
			header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 5}
			switch {
			case q.Type == dnsmessage.TypeA && a.Is4():
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: a.As4()}})
			case q.Type == dnsmessage.TypeAAAA && a.Is6():
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
			}
		}
	}
	return m.Pack()
}
