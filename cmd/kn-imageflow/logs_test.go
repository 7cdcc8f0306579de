package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
)

// pods are two pods of an API server; each has a queue-proxy beside its own container.
const pods = `{"kind": "PodList", "apiVersion": "v1", "items": [
 {"metadata": {"name": "bridge-1", "labels": {"serving.knative.dev/service": "bridge"}}, "status": {"phase": "Running"},
  "spec": {"containers": [{"name": "bridge"}, {"name": "queue-proxy"}]}},
 {"metadata": {"name": "resize-1", "labels": {"serving.knative.dev/service": "resize-grpc-service"}},
  "status": {"phase": "Running"},
  "spec": {"containers": [{"name": "resize"}, {"name": "queue-proxy"}]}}]}`

// podLogs serves the two pods, their logs, and no log of queue-proxy.
func podLogs(t *testing.T) *cluster.Clients {
	t.Helper()
	const folder = "/api/v1/namespaces/image-processing/pods"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+folder, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(r.FormValue("labelSelector"), "none") {
			_, _ = w.Write([]byte(`{"kind": "PodList", "apiVersion": "v1"}`))
			return
		}
		_, _ = w.Write([]byte(pods))
	})
	mux.HandleFunc("GET "+folder+"/bridge-1/log", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("container") == "bridge" {
			_, _ = w.Write([]byte("2026-11-28T10:00:00.1Z {\"msg\":\"sent\",\"execution\":\"cat\"}\n" +
				"2026-11-28T10:00:00.3Z {\"msg\":\"completed\",\"execution\":\"cat\"}\n"))
		}
	})
	mux.HandleFunc("GET "+folder+"/resize-1/log", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("container") == "resize" {
			_, _ = w.Write([]byte("2026-11-28T10:00:00.2Z {\"msg\":\"job\",\"execution\":\"dog\"}\n"))
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	kube, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return &cluster.Clients{Kube: kube, Namespace: "image-processing"}
}

// TestLogs: the lines of several pods are in the order of their time, without those of queue-proxy.
func TestLogs(t *testing.T) {
	const sent, job, completed = "bridge {\"msg\":\"sent\",\"execution\":\"cat\"}\n",
		"resize-grpc-service {\"msg\":\"job\",\"execution\":\"dog\"}\n", "bridge {\"msg\":\"completed\",\"execution\":\"cat\"}\n"
	for flags, want := range map[string]string{
		"": sent + job + completed, "--execution cat": sent + completed, "--execution ca": "",
	} {
		code, out, wrong := call(t, podLogs(t), append([]string{"logs"}, strings.Fields(flags)...)...)
		if code != 0 || out != want {
			t.Errorf("logs %s: code %d, %s%s\nwant\n%s", flags, code, wrong, out, want)
		}
	}
	for flags, want := range map[string]string{
		"--tail 0": "--tail=0: it must be at least 1", "none": "no pod of none has started in namespace image-processing",
	} {
		code, _, wrong := call(t, podLogs(t), append([]string{"logs"}, strings.Fields(flags)...)...)
		if code != 1 || !strings.Contains(wrong, want) {
			t.Errorf("logs %s: code %d, %s, want %s", flags, code, wrong, want)
		}
	}
}

// TestLogsFollow: -f also writes the lines of a pod that starts later.
func TestLogsFollow(t *testing.T) {
	const folder = "/api/v1/namespaces/image-processing/pods"
	pod := func(name string) string {
		return `{"metadata": {"name": "` + name + `", "labels": {"serving.knative.dev/service": "bridge"}},
			"status": {"phase": "Running"}, "spec": {"containers": [{"name": "bridge"}]}}`
	}
	var lists atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+folder, func(w http.ResponseWriter, _ *http.Request) {
		items := pod("old")
		if lists.Add(1) > 1 {
			items += "," + pod("new")
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"kind": "PodList", "apiVersion": "v1", "items": [` + items + `]}`))
	})
	mux.HandleFunc("GET "+folder+"/{pod}/log", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("2026-11-28T10:00:00.1Z " + r.PathValue("pod") + "\n"))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	kube, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		f := &logsFlags{follow: true, tail: 10}
		ended <- f.print(ctx, &cluster.Clients{Kube: kube, Namespace: "image-processing"}, nil, in)
	}()
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "bridge old" || !lines.Scan() || lines.Text() != "bridge new" {
		t.Errorf("got the line %q", lines.Text())
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
