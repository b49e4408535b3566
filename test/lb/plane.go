package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/probeshift/probeshift/test/apiserver"
)

// The networks of the API server's Services.
const serviceNetworks = "10.96.0.0/16,fd00:10:96::/112"

// plane is the API server of a bed, with its etcd. No controller runs there:
// what the endpoint controller and the kubelet would write, the rows write.
type plane struct {
	server     *apiserver.Server
	client     kubernetes.Interface
	kubeconfig string
	// arguments start the API server once more; pid is what runs now, process
	// what runs since it was first started again.
	arguments []string
	pid       int
	process   *exec.Cmd
}

// startPlane starts etcd and the API server within the bed.
func startPlane() (*plane, error) {
	// What they keep on disk goes with the bed.
	if err := os.Setenv("TMPDIR", place); err != nil {
		return nil, err
	}
	server, err := apiserver.Start(apiserver.Options{Flags: map[string][]string{
		"service-cluster-ip-range": {serviceNetworks},
		// It looks for the address of a default route, of which a bed has none.
		"advertise-address": {podIP.String()},
	}})
	if err != nil {
		return nil, err
	}
	p := &plane{server: server, kubeconfig: filepath.Join(place, "kubeconfig")}
	config := rest.CopyConfig(server.Config)
	config.QPS = -1 // no limit of the client's own
	config.WarningHandler = rest.NoWarnings{}
	if p.client, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	if p.pid, p.arguments, err = programNamed("kube-apiserver"); err != nil {
		return nil, err
	}
	return p, server.WriteKubeconfig(p.kubeconfig)
}

// programNamed finds the one process of the bed with that program name, and its
// arguments.
func programNamed(name string) (pid int, arguments []string, err error) {
	files, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return 0, nil, err
	}
	for _, file := range files {
		comm, err := os.ReadFile(file)
		if err != nil || strings.TrimSpace(string(comm)) != name {
			continue // it has ended since, or is another
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if err != nil || len(line) == 0 {
			continue // it has ended
		}
		if pid, err = strconv.Atoi(filepath.Base(filepath.Dir(file))); err != nil {
			return 0, nil, err
		}
		return pid, strings.Split(string(bytes.TrimRight(line, "\x00")), "\x00"), nil
	}
	return 0, nil, fmt.Errorf("no process of the bed is %s", name)
}

// kill ends the API server as kill -9 does. etcd stays.
func (p *plane) kill(ctx context.Context) error {
	const limit = 10 * time.Second
	if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("killing the API server: %w", err)
	}
	if p.process != nil {
		p.process.Wait() //nolint:errcheck // it was killed
		return nil
	}
	// The first one is waited for by who started it.
	_, err := until(ctx, limit, func() bool { return errors.Is(syscall.Kill(p.pid, 0), syscall.ESRCH) })
	return err
}

// restart starts the API server that was killed again, at the same address and
// with the same etcd, and returns when it is ready.
func (p *plane) restart(ctx context.Context) error {
	const limit = 2 * time.Minute
	p.process = exec.CommandContext(ctx, p.arguments[0], p.arguments[1:]...)
	said := &apiserver.Tail{}
	p.process.Stdout, p.process.Stderr = said, said
	if err := p.process.Start(); err != nil {
		return fmt.Errorf("starting the API server again: %w", err)
	}
	p.pid = p.process.Process.Pid
	_, err := until(ctx, limit, func() bool {
		return p.client.CoreV1().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil
	})
	if err != nil {
		return fmt.Errorf("the API server is not ready again %w: %s", err, said)
	}
	return nil
}

// compact makes etcd forget all revisions before the present one: a watch that
// was at an earlier one has expired.
func (p *plane) compact(ctx context.Context) error {
	const flag = "--etcd-servers="
	for _, argument := range p.arguments {
		url, found := strings.CutPrefix(argument, flag)
		if !found {
			continue
		}
		var now struct {
			Header struct {
				Revision string `json:"revision"`
			} `json:"header"`
		}
		if err := post(ctx, url+"/v3/kv/range", map[string]any{"key": []byte("/")}, &now); err != nil {
			return err
		}
		return post(ctx, url+"/v3/kv/compaction", map[string]any{"revision": now.Header.Revision, "physical": true}, &struct{}{})
	}
	return errors.New("the API server's arguments name no etcd")
}

// post sends and reads JSON.
func post(ctx context.Context, url string, question, reply any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("POST %s: %s", url, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(reply)
}
