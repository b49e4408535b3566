package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"

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
	process    *apiserver.Process
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
	if p.process, err = server.Process(); err != nil {
		return nil, err
	}
	return p, server.WriteKubeconfig(p.kubeconfig)
}

// kill ends the API server as kill -9 does. etcd stays.
func (p *plane) kill(ctx context.Context) error { return p.process.End(ctx, syscall.SIGKILL) }

// restart starts the API server that was killed again, at the same address and
// with the same etcd, and returns when it is ready.
func (p *plane) restart(ctx context.Context) error {
	said := &apiserver.Tail{}
	if err := p.process.Again(ctx, p.client, said); err != nil {
		return fmt.Errorf("%w: %s", err, said)
	}
	return nil
}

// compact makes etcd forget all revisions before the present one: a watch that
// was at an earlier one has expired.
func (p *plane) compact(ctx context.Context) error {
	const flag = "--etcd-servers="
	for _, argument := range p.process.Arguments {
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
