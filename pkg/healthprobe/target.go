package healthprobe

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/probeshift/probeshift/pkg/reason"
)

/*
The tool hands -addr to grpc-go's DialContext, which reads it as a URL when its
scheme is a registered one (clientconn.go, initParsedTargetAndResolverBuilder):
dns, passthrough, unix and unix-abstract. Every other text, ipv4: and ipv6:
included, is given to net.Dial whole.

An address the tool can never reach is always-fails; one that cannot be read
with certainty is unusual-address, never a guess.
*/

// Host is where on the Pod the tool dials, as far as it decides what the
// kubelet, which dials the Pod's primary IP, would reach.
type Host int

// The hosts that are this Pod.
const (
	// HostLocal is an empty host, localhost, 127.0.0.1 or 0.0.0.0.
	HostLocal Host = iota
	// HostLocal6 is ::1, which only a server on IPv6 answers.
	HostLocal6
	// HostAny6 is ::, which the kernel dials as ::1; where nobody answers there
	// Go tries 0.0.0.0 too (golang/go#18806), so it says nothing of a family.
	HostAny6
	// HostPod is this Pod's own IP: what the kubelet dials.
	HostPod
	// HostName is HOSTNAME: this Pod's own host name, unless the image or envFrom
	// define the variable (containerd lets them; ENV HOSTNAME=0.0.0.0 is common
	// in images of Node.js servers).
	HostName
)

// target is where the tool dials.
type target struct {
	host Host
	port int32
	// viaProxy says that grpc-go would ask a proxy, if one is set, for this
	// host; it never does for localhost and loopback addresses.
	viaProxy bool
}

// defaultDNSPort is the port of an address under dns: that has none.
const defaultDNSPort = "443"

// readTarget reads the address, or says why it can't be. ipv6 tells that the
// primary IP of Pods is IPv6.
func readTarget(addr string, ipv6 bool) (target, *stop) {
	endpoint, dns := addr, false
	if u, err := url.Parse(addr); err == nil {
		switch u.Scheme {
		case "unix", "unix-abstract":
			return target{}, &stop{reason.UnixSocket, ""}
		case "dns", "passthrough":
			if u.Host != "" {
				return target{}, &stop{reason.UnusualAddress, "the address names an authority"}
			}
			dns = u.Scheme == "dns"
			if endpoint = u.Path; endpoint == "" {
				endpoint = u.Opaque
			}
			endpoint = strings.TrimPrefix(endpoint, "/")
		}
	}
	if strings.HasPrefix(endpoint, "unix:") { // the dialer of grpc-go looks for it once more (ParseDialTarget)
		return target{}, &stop{reason.UnixSocket, ""}
	}
	if strings.ContainsAny(addr, "?#%") { // grpc-go reads every address as a URL in the end
		return target{}, &stop{reason.UnusualAddress, "the address has a query, a fragment or a percent sign"}
	}
	if halt := impossible(endpoint); halt != nil {
		return target{}, halt
	}
	host, port, halt := splitAddress(endpoint, dns, ipv6)
	if halt != nil {
		return target{}, halt
	}
	number, halt := readPort(port)
	if halt != nil {
		return target{}, halt
	}
	t, halt := readHost(host, strings.HasPrefix(endpoint, "["))
	t.port = number
	// Behind a port's name net/http does not recognise a loopback address.
	t.viaProxy = t.viaProxy || strings.Trim(port, "0123456789") != ""
	return t, halt
}

func alwaysFails(detail string) *stop { return &stop{reason.AlwaysFails, detail} }

// impossible tells the addresses that net.Dial refuses whatever stands in the
// rest of them.
func impossible(addr string) *stop {
	lower := strings.ToLower(addr)
	switch {
	case strings.ContainsFunc(addr, func(c rune) bool { return c <= ' ' || c == 0x7f || c == 0x85 || c == 0xa0 }):
		return alwaysFails("the address has blanks in it")
	case strings.HasPrefix(lower, "http://"), strings.HasPrefix(lower, "https://"):
		return alwaysFails("the address is a URL; the tool takes host:port")
	case strings.HasPrefix(lower, "ipv4:"), strings.HasPrefix(lower, "ipv6:"):
		return alwaysFails("the address has a scheme that the tool does not know")
	case strings.HasPrefix(addr, "/"):
		return alwaysFails("the address is a path; a socket is written unix:///path")
	}
	return nil
}

// plainAddress are the characters of hosts and ports.
func plainAddress(addr string) bool {
	return strings.Trim(addr, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_[]") == ""
}

// splitAddress splits an address as net.SplitHostPort does, and under dns: as
// grpc-go's DNS resolver does, where the port may be absent.
func splitAddress(addr string, dns, ipv6 bool) (host, port string, halt *stop) {
	plain := addr
	for _, mark := range []string{markPodIP, markHostname} {
		plain = strings.ReplaceAll(plain, mark, "")
	}
	bare := ipv6 && strings.HasPrefix(addr, markPodIP+":") // an IPv6 address without brackets
	_, err := netip.ParseAddr(addr)
	if dns && (err == nil || addr == markPodIP) {
		return addr, defaultDNSPort, nil
	}
	host, port, err = net.SplitHostPort(addr)
	if dns && err != nil {
		host, port, err = net.SplitHostPort(addr + ":" + defaultDNSPort)
	}
	switch {
	case bare && dns: // with the port it may read as one longer IPv6 address
		return "", "", &stop{reason.UnusualAddress, "an IPv6 address needs brackets"}
	case bare, err != nil && isBareIPv6(addr):
		return "", "", alwaysFails("an IPv6 address needs brackets")
	case !strings.Contains(addr, ":") && !dns, err != nil && strings.HasPrefix(addr, "[") && strings.HasSuffix(addr, "]"):
		return "", "", alwaysFails("the address has no port")
	case err == nil && port == "":
		return "", "", alwaysFails("the address has an empty port")
	case err != nil, !plainAddress(plain), dns && addr == "":
		return "", "", &stop{reason.UnusualAddress, "the address is not host:port"}
	}
	return host, port, nil
}

// isBareIPv6 says whether an address is an IPv6 address without brackets, with
// or without a port behind it.
func isBareIPv6(addr string) bool {
	if strings.HasPrefix(addr, "[") {
		return false
	}
	whole, err := netip.ParseAddr(addr)
	if err == nil && whole.Is6() {
		return true
	}
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return false
	}
	front, err := netip.ParseAddr(addr[:i])
	return err == nil && front.Is6()
}

// goPorts is Go's own table of port names (net/lookup.go, services["tcp"]); it
// needs no /etc/services.
var goPorts = map[string]int32{
	"domain": 53, "ftp": 21, "ftps": 990, "gopher": 70, "http": 80, "https": 443, "imap2": 143, "imap3": 220,
	"imaps": 993, "pop3": 110, "pop3s": 995, "smtp": 25, "submissions": 465, "ssh": 22, "telnet": 23,
}

// readPort reads a port: a number from 1 to 65535 or a name of Go's table.
func readPort(port string) (int32, *stop) {
	switch {
	case strings.ContainsAny(port, marks):
		return 0, &stop{reason.UnresolvedVariable, "the port is not in the manifest"}
	case strings.Trim(port, "0123456789") == "":
		if port[0] == '0' && port != "0" {
			return 0, &stop{reason.UnusualAddress, "the port has a leading zero"}
		}
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil || number == 0 {
			return 0, alwaysFails("the port is not between 1 and 65535")
		}
		return int32(number), nil
	case strings.Trim(strings.TrimPrefix(port, "-"), "0123456789") == "":
		return 0, &stop{reason.UnusualAddress, "the port has a sign"}
	}
	if number, ok := goPorts[strings.ToLower(port)]; ok {
		return number, nil
	}
	if strings.Trim(strings.ToLower(port), "abcdefghijklmnopqrstuvwxyz0123456789-") == "" {
		return 0, &stop{reason.UnresolvedPort, "port " + printable(port)}
	}
	return 0, &stop{reason.UnusualAddress, "the port is neither a number nor a name"}
}

// readHost reads a host; bracketed says that it stood in brackets.
func readHost(host string, bracketed bool) (target, *stop) {
	ip, err := netip.ParseAddr(host)
	switch {
	case host == markPodIP:
		return target{host: HostPod, viaProxy: true}, nil
	case host == markHostname && !bracketed:
		return target{host: HostName, viaProxy: true}, nil
	case strings.ContainsAny(host, marks):
		return target{}, &stop{reason.UnresolvedVariable, "the host is not in the manifest"}
	case bracketed && (err != nil || !ip.Is6()):
		return target{}, &stop{reason.UnusualAddress, "the brackets hold no IPv6 address"}
	case host == "localhost", host == "127.0.0.1":
		return target{host: HostLocal}, nil
	case host == "", host == "0.0.0.0":
		return target{host: HostLocal, viaProxy: true}, nil
	case ip == netip.IPv6Loopback():
		return target{host: HostLocal6}, nil
	case ip == netip.IPv6Unspecified():
		return target{host: HostAny6, viaProxy: true}, nil
	case err == nil && ip.Unmap().IsLoopback():
		return target{}, &stop{reason.LoopbackAddress, "host " + printable(host)}
	}
	return target{}, &stop{reason.RemoteAddress, "host " + printable(host)}
}
