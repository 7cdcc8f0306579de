package main

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fakekube "k8s.io/client-go/kubernetes/fake"
	fakeeventing "knative.dev/eventing/pkg/client/clientset/versioned/fake"
	fakeserving "knative.dev/serving/pkg/client/clientset/versioned/fake"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
)

// emptyCluster has a node and nothing else.
func emptyCluster() *cluster.Clients {
	return &cluster.Clients{
		Kube:    fakekube.NewClientset(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}}),
		Serving: fakeserving.NewSimpleClientset(), Eventing: fakeeventing.NewSimpleClientset(), Namespace: "image-processing",
	}
}

// TestDoctor: results are lines for people and objects for programs, and failed checks are an error. Fixes reach the cluster that
// was checked.
func TestDoctor(t *testing.T) {
	code, out, wrong := call(t, emptyCluster(), "doctor", "--skip", "argo,webhooks")
	for _, want := range []string{
		"ok       cluster        1 node\n",
		"MISSING  broker         brokers.eventing.knative.dev \"default\" not found\n         fix:           kubectl apply -k ",
		"MISSING  services       grpc-gateway does not exist\n                        bridge does not exist\n",
		"\nskipped  webhooks\n", "\nskipped  argo\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("doctor prints\n%swant\n%s", out, want)
		}
	}
	if want := "Error: of 18 checks, "; code != 1 || !strings.HasPrefix(wrong, want) {
		t.Errorf("code %d, %q, want %q", code, wrong, want)
	}

	code, out, _ = call(t, emptyCluster(), "doctor", "-o", "json")
	var list struct {
		Items []struct {
			Kind              string
			Metadata          struct{ Name string }
			Status, Text, Fix string
		}
	}
	err := json.Unmarshal([]byte(out), &list)
	if err != nil || code != 1 || len(list.Items) != 20 || list.Items[1].Metadata.Name != "knative" ||
		list.Items[1].Status != "MISSING" || list.Items[1].Fix == "" || list.Items[0].Fix != "" ||
		list.Items[0].Text != "1 node" || list.Items[0].Kind != "Check" {
		t.Errorf("code %d, %v\n%s", code, err, out)
	}
	_, out, _ = call(t, emptyCluster(), "doctor", "--context", "the test", "--kubeconfig", "k")
	if want := "fix:           kubectl --kubeconfig='k' --context='the test' apply -k "; !strings.Contains(out, want) {
		t.Errorf("doctor prints\n%swant\n%s", out, want)
	}
	code, _, wrong = call(t, emptyCluster(), "doctor", "--skip", "argoo")
	if code != 1 || !strings.Contains(wrong, `there is no check "argoo"; there are cluster,`) {
		t.Errorf("code %d, %s", code, wrong)
	}
}
