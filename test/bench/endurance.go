package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// What the webhook may take.
const (
	readyTarget  = time.Second
	memoryTarget = 40 << 20
	// growthTarget is what two readings of a garbage-collected process differ
	// by anyhow.
	growthTarget = 1 << 20
)

// measureStarts starts a server a few times and returns how long each took
// until it was ready, in milliseconds.
func measureStarts(ctx context.Context, p plan, k kind, cert certificate, first review) (sample, error) {
	var took sample
	for range p.starts {
		server, err := startProcess(ctx, k, cert, first)
		if err != nil {
			return nil, err
		}
		took = append(took, float64(server.ready)/float64(time.Millisecond))
		if err := server.stop(); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// growth is the resident memory of a server before and after many requests for
// different Pods, in bytes.
type growth struct {
	requests    int
	early, late float64
}

// measureGrowth sends reviews of Pods that all differ, in blocks, and compares
// the resident memory after the first blocks with that after the last. One
// review of 20 is large.
func measureGrowth(ctx context.Context, p plan, cert certificate, server *process, reviews []review) (growth, error) {
	const blocks, compared = 25, 5
	caller := newCaller(cert, p.clients)
	defer caller.close()
	mix := mixOf(reviews)
	var readings sample
	// The first blocks come on top, so that growthRequests lie between what is
	// compared.
	size := p.growthRequests / (blocks - compared)
	for block := range blocks {
		err := load(ctx, p.clients, size, func(ctx context.Context, i int) error {
			i += block * size
			r := mix[i%len(mix)]
			body := r.variant(i)
			answer, err := caller.send(ctx, server.url(), body)
			if err != nil {
				return err
			}
			return looksRight(server.kind, r.workload, reviewUID(body), answer)
		})
		if err != nil {
			return growth{}, err
		}
		now, err := server.resident("VmRSS")
		if err != nil {
			return growth{}, err
		}
		readings = append(readings, float64(now))
	}
	return growth{
		requests: size * (blocks - compared),
		early:    readings[:compared].median(),
		late:     readings[blocks-compared:].median(),
	}, nil
}

// mixOf is 20 reviews, one of them large.
func mixOf(reviews []review) []review {
	var small, large []review
	for _, r := range reviews {
		if r.large {
			large = append(large, r)
		} else {
			small = append(small, r)
		}
	}
	mix := []review{large[len(large)-1]}
	for i := range 19 {
		mix = append(mix, small[i%len(small)])
	}
	return mix
}

// printEndurance prints what the webhook takes beside CPU.
func printEndurance(out io.Writer, ready sample, peak int64, g growth) error {
	const mib = 1 << 20
	grown := g.late - g.early
	fmt.Fprintf(out, "\nThe webhook beside its CPU\n\n")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what\tmeasured\ttarget\t")
	fmt.Fprintf(table, "ready after start\t%.0f ms, median of %d\t<= %d ms\t%s\n",
		ready.median(), len(ready), readyTarget.Milliseconds(), verdict(ready.median() <= float64(readyTarget.Milliseconds())))
	fmt.Fprintf(table, "resident memory, most under load\t%.1f MiB\t<= %d MiB\t%s\n",
		float64(peak)/mib, memoryTarget/mib, verdict(peak <= memoryTarget))
	fmt.Fprintf(table, "growth over %d requests\t%+.2f MiB, from %.1f\t<= %d MiB\t%s\n",
		g.requests, grown/mib, g.early/mib, growthTarget/mib, verdict(grown <= growthTarget))
	return table.Flush()
}
