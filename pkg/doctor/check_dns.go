package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

/*
A sidecar without discovery follows its backends as DNS tells them. CoreDNS keeps
an answer for as long as its plugin "cache" lets it, at most the record's TTL,
which the plugin "kubernetes" sets; a cache on the node keeps what is left of it,
and at least 5 s (plugin cache, minTTL). Then the sidecar has to look again.
*/

const (
	// recordTTL is the plugin kubernetes' default.
	recordTTL = 5 * time.Second
	// cacheFloor is the shortest that the plugin cache keeps an answer.
	cacheFloor = 5 * time.Second
	// lookAgain is the sidecar's default refresh, and what it takes it.
	lookAgain = 5*time.Second + 2*time.Second
)

func checkDNS(f *Facts) Result {
	r := newResult("dns-caches", "the Corefiles of the ConfigMaps coredns and node-local-dns in kube-system")
	if f.DNS.Err != nil {
		r.unread("the ConfigMaps of DNS", f.DNS.Err)
		return r
	}
	if len(f.DNS.Value) == 0 {
		r.note("kube-system has neither a ConfigMap coredns nor node-local-dns, so how long DNS keeps answers is not known.")
		return r
	}
	var kept time.Duration
	for _, name := range slices.Sorted(maps.Keys(f.DNS.Value)) {
		delay := answerKept(f.DNS.Value[name])
		if name == "node-local-dns" {
			delay = min(delay, cacheFloor)
		}
		r.note(fmt.Sprintf("%s keeps answers for up to %s.", name, delay))
		kept += delay
	}
	r.note(fmt.Sprintf("Without discovery a load-balancing sidecar follows its backends after up to %s.", kept+lookAgain))
	if kept > recordTTL {
		r.note("When Pods exit at once, their addresses are dialled for that long: give the servers a preStop sleep, or run discovery.")
	}
	return r
}

// answerKept is how long a Corefile lets answers of the cluster's domain be
// kept.
func answerKept(corefile string) time.Duration {
	ttl, limit, cached, depth := recordTTL, time.Duration(1<<62), false, 0
	inKubernetes := 0
	for line := range strings.Lines(corefile) {
		text, _, _ := strings.Cut(line, "#")
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		switch {
		case words[0] == "kubernetes":
			inKubernetes = depth + 1
		case words[0] == "ttl" && inKubernetes > 0 && len(words) > 1:
			ttl = seconds(words[1], ttl)
		case words[0] == "cache":
			cached = true
			if len(words) > 1 {
				limit = seconds(words[1], limit)
			}
		case words[0] == "success" && cached && len(words) > 2:
			limit = seconds(words[2], limit)
		}
		depth += strings.Count(text, "{") - strings.Count(text, "}")
		if depth < inKubernetes {
			inKubernetes = 0
		}
	}
	if !cached {
		return 0
	}
	return min(ttl, limit)
}

// seconds reads a number of seconds.
func seconds(text string, otherwise time.Duration) time.Duration {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return otherwise
	}
	return time.Duration(n) * time.Second
}
