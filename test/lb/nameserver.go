package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// mood is how the DNS server answers.
type mood int

const (
	// normal answers with the addresses, or, as CoreDNS does for a headless
	// Service without ready Pods, that there is no such name.
	normal mood = iota
	// failing answers SERVFAIL.
	failing
	// silent does not answer.
	silent
)

// timeToLive is the TTL of every answer in seconds, the default of CoreDNS's
// kubernetes plugin.
const timeToLive = 5

// nameserver is the DNS of a bed. Its answers can be changed at any time.
type nameserver struct {
	server *dns.Server

	mu    sync.Mutex
	zone  map[string][]netip.Addr
	mood  mood
	asked map[string]int
}

// startNameserver serves an empty zone at that address.
func startNameserver(address netip.AddrPort) (*nameserver, error) {
	n := &nameserver{zone: map[string][]netip.Addr{}, asked: map[string]int{}}
	socket, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(address))
	if err != nil {
		return nil, fmt.Errorf("starting the DNS server: %w", err)
	}
	n.server = &dns.Server{PacketConn: socket, Handler: dns.HandlerFunc(n.serve)}
	go n.server.ActivateAndServe() //nolint:errcheck // it serves until the bed ends
	return n, nil
}

// set makes a name, which ends with a dot, stand for these addresses.
func (n *nameserver) set(name string, addresses ...netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.zone[name] = slices.Clone(addresses)
}

// be sets the mood in which questions are answered.
func (n *nameserver) be(m mood) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mood = m
}

// questions is how often somebody asked for a name.
func (n *nameserver) questions(name string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked[name]
}

// serve answers one question.
func (n *nameserver) serve(w dns.ResponseWriter, question *dns.Msg) {
	if answer := n.answer(question); answer != nil {
		w.WriteMsg(answer) //nolint:errcheck // who does not get it asks again
	}
}

// answer is what to say to a question, nil to say nothing.
func (n *nameserver) answer(question *dns.Msg) *dns.Msg {
	n.mu.Lock()
	defer n.mu.Unlock()
	reply := new(dns.Msg)
	reply.SetReply(question)
	reply.Authoritative = true
	if len(question.Question) != 1 {
		reply.Rcode = dns.RcodeFormatError
		return reply
	}
	asked := question.Question[0]
	name := strings.ToLower(asked.Name)
	n.asked[name]++
	switch n.mood {
	case normal:
	case silent:
		return nil
	case failing:
		reply.Rcode = dns.RcodeServerFailure
		return reply
	}
	addresses := slices.Clone(n.zone[name])
	if len(addresses) == 0 {
		reply.Rcode = dns.RcodeNameError
		return reply
	}
	rand.Shuffle(len(addresses), func(i, j int) { addresses[i], addresses[j] = addresses[j], addresses[i] })
	header := dns.RR_Header{Name: asked.Name, Rrtype: asked.Qtype, Class: dns.ClassINET, Ttl: timeToLive}
	for _, address := range addresses {
		switch {
		case asked.Qtype == dns.TypeA && address.Is4():
			reply.Answer = append(reply.Answer, &dns.A{Hdr: header, A: address.AsSlice()})
		case asked.Qtype == dns.TypeAAAA && address.Is6():
			reply.Answer = append(reply.Answer, &dns.AAAA{Hdr: header, AAAA: address.AsSlice()})
		}
	}
	return reply
}
