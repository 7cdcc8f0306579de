package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"imageflow.dev/cmd/kn-imageflow/internal/overlay"
)

// statusOf is an answer of the API server that refuses a request.
func statusOf(code int, reason metav1.StatusReason, message string) *metav1.Status {
	return &metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
		Code: int32(code), Reason: reason, Message: message}
}

// fussyServer is an API server that answers the first applies with refusals, and takes all others. It serves Widgets from the
// second time that it is asked for its kinds after their definition is applied.
type fussyServer struct {
	refusals []*metav1.Status
	defined  bool
	asked    int
	applied  []string
}

func (s *fussyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	answer := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	serves := func(version, name, kind string, namespaced bool) {
		resource := metav1.APIResource{Name: name, Kind: kind, Namespaced: namespaced, Verbs: metav1.Verbs{"get", "patch"}}
		answer(metav1.APIResourceList{GroupVersion: version, APIResources: []metav1.APIResource{resource}})
	}
	switch {
	case r.URL.Path == "/api":
		answer(metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}})
	case r.URL.Path == "/apis":
		answer(s.groups())
	case r.URL.Path == "/api/v1":
		serves("v1", "configmaps", "ConfigMap", true)
	case r.URL.Path == "/apis/apiextensions.k8s.io/v1":
		serves("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", false)
	case r.URL.Path == "/apis/shop.example/v1":
		serves("shop.example/v1", "widgets", "Widget", true)
	case r.Method == http.MethodGet:
		w.WriteHeader(http.StatusNotFound)
		answer(statusOf(http.StatusNotFound, metav1.StatusReasonNotFound, "not found"))
	case len(s.refusals) > 0:
		no := s.refusals[0]
		s.refusals = s.refusals[1:]
		w.WriteHeader(int(no.Code))
		answer(no)
	default:
		s.applied = append(s.applied, r.URL.Path)
		s.defined = s.defined || strings.Contains(r.URL.Path, "customresourcedefinitions")
		object := map[string]any{}
		_ = json.NewDecoder(r.Body).Decode(&object)
		answer(object)
	}
}

// groups returns the groups of kinds that are served now.
func (s *fussyServer) groups() metav1.APIGroupList {
	list := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
	if s.defined {
		s.asked++
	}
	for name, isServed := range map[string]bool{"apiextensions.k8s.io": true, "shop.example": s.asked > 1} {
		version := metav1.GroupVersionForDiscovery{GroupVersion: name + "/v1", Version: "v1"}
		if isServed {
			list.Groups = append(list.Groups, metav1.APIGroup{
				Name: name, Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version,
			})
		}
	}
	return list
}

// installOn installs objects on a server, and returns what install prints.
func (s *fussyServer) installOn(
	ctx context.Context, t *testing.T, wait time.Duration, objects ...*unstructured.Unstructured,
) (string, error) {
	t.Helper()
	server := httptest.NewServer(s)
	defer server.Close()
	to, err := overlay.NewApplier(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = (&installFlags{wait: wait}).install(ctx, to, objects, &out)
	return out.String(), err
}

func objectOf(version, kind, name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": version, "kind": kind, "metadata": map[string]any{"name": name, "namespace": "flow"},
	}}
}

const refusedWebhook = `Internal error occurred: failed calling webhook "webhook.serving.knative.dev": failed to call webhook: ` +
	`Post "https://webhook.knative-serving.svc:443/defaulting?timeout=10s": dial tcp 10.96.0.7:443: connect: connection refused`

// TestInstall_unavailable: an object that the cluster cannot decide about is applied again within --wait, and a line says why.
func TestInstall_unavailable(t *testing.T) {
	const internal = metav1.StatusReasonInternalError
	for name, no := range map[string]*metav1.Status{
		"a webhook refuses":    statusOf(500, internal, refusedWebhook),
		"no endpoints":         statusOf(500, internal, `Internal error occurred: calling "a": no endpoints available for service "a"`),
		"a conversion webhook": statusOf(500, internal, "Internal error occurred: conversion webhook for a/v1 failed: EOF"),
		"no time":              statusOf(504, metav1.StatusReasonTimeout, "context deadline exceeded"),
		"a busy server":        statusOf(503, metav1.StatusReasonServiceUnavailable, "apiserver is shutting down"),
		"another busy server":  statusOf(500, metav1.StatusReasonServerTimeout, "the server is busy"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &fussyServer{refusals: []*metav1.Status{no, no}}
			out, err := s.installOn(t.Context(), t, time.Minute, objectOf("v1", "ConfigMap", "a"))
			want := "configmap/a: is applied again, since the cluster could not answer: " + no.Message + "\nconfigmap/a created\n"
			if err != nil || out != want || len(s.applied) != 1 {
				t.Errorf("got %v, %s\nwant %s", err, out, want)
			}
		})
	}
}

// TestInstall_refused: what the cluster has decided is final, and so is its silence when --wait is over.
func TestInstall_refused(t *testing.T) {
	const denied = `admission webhook "validation.webhook.serving.knative.dev" denied the request: validation failed: x`
	for wait, no := range map[time.Duration]*metav1.Status{
		time.Minute:            statusOf(400, metav1.StatusReasonBadRequest, denied),
		2 * time.Minute:        statusOf(500, metav1.StatusReasonInternalError, "Internal error occurred: etcd has no space"),
		0:                      statusOf(500, metav1.StatusReasonInternalError, refusedWebhook),
		300 * time.Millisecond: statusOf(500, metav1.StatusReasonInternalError, refusedWebhook),
	} {
		s := &fussyServer{refusals: []*metav1.Status{no, no, no, no}}
		begun := time.Now()
		_, err := s.installOn(t.Context(), t, wait, objectOf("v1", "ConfigMap", "a"))
		if err == nil || !strings.Contains(err.Error(), "configmap/a: "+no.Message) || time.Since(begun) > 5*time.Second {
			t.Errorf("--wait=%s: after %s, %v", wait, time.Since(begun), err)
		}
		if isFinal := wait >= time.Minute || wait == 0; isFinal && len(s.refusals) != 3 {
			t.Errorf("--wait=%s: %d applies", wait, 4-len(s.refusals))
		}
	}
}

// TestInstall_definition: an object may follow the definition of its kind. Without one, the kind is missing at once.
func TestInstall_definition(t *testing.T) {
	definition := objectOf("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.shop.example")
	definition.Object["spec"] = map[string]any{"group": "shop.example"}
	widget, other := objectOf("shop.example/v1", "Widget", "w"), objectOf("v1", "ConfigMap", "a")
	s := &fussyServer{}
	out, err := s.installOn(t.Context(), t, time.Minute, other, definition, widget)
	if err != nil || !strings.Contains(out, "widget.shop.example/w: is applied again") ||
		!strings.HasSuffix(out, "widget.shop.example/w created\n") {
		t.Errorf("got %v, %s", err, out)
	}
	begun := time.Now()
	_, err = (&fussyServer{}).installOn(t.Context(), t, time.Minute, other, widget)
	if err == nil || !strings.Contains(err.Error(), "the cluster lacks this kind") || time.Since(begun) > 5*time.Second {
		t.Errorf("without a definition: %v", err)
	}
}

// TestInstall_interrupted: the wait for a webhook ends when the user ends the command.
func TestInstall_interrupted(t *testing.T) {
	ctx, stop := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, fmt.Errorf("the test"))
	defer stop()
	s := &fussyServer{refusals: []*metav1.Status{statusOf(500, metav1.StatusReasonInternalError, refusedWebhook)}}
	if _, err := s.installOn(ctx, t, time.Minute, objectOf("v1", "ConfigMap", "a")); err == nil || len(s.applied) > 0 {
		t.Errorf("got %v, %q", err, s.applied)
	}
}
