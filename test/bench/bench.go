package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/probeshift/probeshift/test/apiserver"
)

// bench measures everything and prints the tables.
func bench(ctx context.Context, webhook string, p plan, out io.Writer) (err error) {
	begin := time.Now()
	dir, err := os.MkdirTemp("", "probeshift-bench-")
	if err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cert, err := newCertificate(dir, begin)
	if err != nil {
		return err
	}
	servers, err := kinds(webhook, p)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s; %d CPUs, %s\n", p.note, runtime.NumCPU(), runtime.Version())

	reviews, measured, err := behindAPIServer(ctx, p, servers, cert, out)
	if err != nil {
		return err
	}
	if err := alone(ctx, p, servers, cert, reviews, out); err != nil {
		return err
	}
	if err := printThroughput(out, p, measured); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nevery answer was right; the whole took %s\n", time.Since(begin).Round(time.Second))
	return nil
}

// behindAPIServer records the reviews and measures Pods a second, with the API
// server running.
func behindAPIServer(ctx context.Context, p plan, servers []kind, cert certificate, out io.Writer) (reviews []review, measured []throughput, err error) {
	fmt.Fprintln(out, "starting kube-apiserver and etcd, recording the reviews it sends")
	server, err := apiserver.Start(apiserver.Options{})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	client, err := kubernetes.NewForConfig(server.Config)
	if err != nil {
		return nil, nil, fmt.Errorf("making a client: %w", err)
	}
	reviews, err = recordReviews(ctx, client, cert)
	if err != nil {
		return nil, nil, err
	}

	processes, stop, err := startAll(ctx, servers, cert, reviews[0])
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	list, err := ways(ctx, client, cert, processes)
	if err != nil {
		return nil, nil, err
	}
	creator, err := newCreator(server)
	if err != nil {
		return nil, nil, err
	}
	loads := smallOnes()
	if err := creator.settle(ctx, list, loads); err != nil {
		return nil, nil, err
	}
	fmt.Fprintln(out, "measuring Pods a second through it")
	measured, err = creator.measureThroughput(ctx, p, list, loads)
	return reviews, measured, err
}

// alone measures the servers without an API server beside them, and prints.
func alone(ctx context.Context, p plan, servers []kind, cert certificate, reviews []review, out io.Writer) (err error) {
	ours := servers[len(servers)-1]
	fmt.Fprintln(out, "measuring how long the webhook takes to be ready")
	ready, err := measureStarts(ctx, p, ours, cert, reviews[0])
	if err != nil {
		return err
	}
	processes, stop, err := startAll(ctx, servers, cert, reviews[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	fmt.Fprintln(out, "measuring CPU a request")
	costs, err := measureCosts(ctx, p, cert, processes, reviews)
	if err != nil {
		return err
	}
	webhook := processes[len(processes)-1]
	fmt.Fprintf(out, "sending the webhook %d reviews of different Pods\n", p.growthRequests)
	grown, err := measureGrowth(ctx, p, cert, webhook, reviews)
	if err != nil {
		return err
	}
	peak, err := webhook.resident("VmHWM")
	if err != nil {
		return err
	}
	if err := printCosts(out, p, costs); err != nil {
		return err
	}
	return printEndurance(out, ready, peak, grown)
}

// startAll starts one process of each kind, and returns what ends them.
func startAll(ctx context.Context, servers []kind, cert certificate, first review) (processes []*process, stop func() error, err error) {
	stop = func() error {
		var problems []error
		for _, p := range processes {
			problems = append(problems, p.stop())
		}
		return errors.Join(problems...)
	}
	for _, k := range servers {
		p, err := startProcess(ctx, k, cert, first)
		if err != nil {
			return nil, nil, errors.Join(err, stop())
		}
		processes = append(processes, p)
	}
	return processes, stop, nil
}

// smallOnes are the workloads that go through the API server.
func smallOnes() []workload {
	var small []workload
	for _, w := range workloads() {
		if !w.large {
			small = append(small, w)
		}
	}
	return small
}
