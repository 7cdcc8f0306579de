package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/ptr"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"
	fakeeventing "knative.dev/eventing/pkg/client/clientset/versioned/fake"
	"sigs.k8s.io/yaml"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
)

// shippedChain is a cluster with the Triggers of eventing/chain.yaml.
func shippedChain(t *testing.T) *cluster.Clients {
	t.Helper()
	text, err := os.ReadFile("../../eventing/chain.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := []runtime.Object{&eventingv1.Broker{ObjectMeta: metav1.ObjectMeta{Namespace: "image-processing", Name: "default"}}}
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		trigger := &eventingv1.Trigger{}
		if err := yaml.Unmarshal(document, trigger); err != nil {
			t.Fatal(err)
		}
		found = append(found, trigger)
	}
	return &cluster.Clients{Eventing: fakeeventing.NewSimpleClientset(found...), Namespace: "image-processing"}
}

func TestChain_list(t *testing.T) {
	code, out, wrong := call(t, shippedChain(t), "chain", "list")
	want := "chain   * (without 8 prefixes)   resize,detect,filter   0\n"
	if code != 0 || !strings.Contains(out, want) {
		t.Errorf("code %d, %s%s\nwant %s", code, wrong, out, want)
	}
	code, out, wrong = call(t, shippedChain(t), "chain", "describe", "chain")
	want = "└─ chain-1-resize: resize-grpc-service/?target_width=800&target_height=600&maintain_aspect_ratio=true -> resize\n" +
		"   Makes each upload at most 800x600 pixels large, so that the next steps of the chain are quick.\n" +
		"   └─ chain-2-detect: "
	if code != 0 || !strings.Contains(out, want) || !strings.Contains(out, "         └─ chain-4-completed: bridge/completed\n") {
		t.Errorf("code %d, %s%s\nwant %s", code, wrong, out, want)
	}
	code, _, wrong = call(t, shippedChain(t), "chain", "describe", "none")
	if code != 1 || !strings.Contains(wrong, "there are chain\n") {
		t.Errorf("code %d, %s", code, wrong)
	}
}

// TestChain_apply makes a chain, changes it, and removes what it no longer has.
func TestChain_apply(t *testing.T) {
	clients := shippedChain(t)
	for _, c := range []struct{ steps, out string }{
		{"resize?target_width=90,detect", "shop-1-resize created\ntrigger.eventing.knative.dev/shop-2-detect created\n" +
			"trigger.eventing.knative.dev/shop-3-completed created\n"},
		{"resize?target_width=80", "shop-1-resize configured\ntrigger.eventing.knative.dev/shop-2-completed created\n" +
			"trigger.eventing.knative.dev/shop-2-detect deleted\ntrigger.eventing.knative.dev/shop-3-completed deleted\n"},
	} {
		args := []string{"chain", "apply", "shop", "--prefix", "thumbnails/"}
		for _, s := range strings.Split(c.steps, ",") {
			args = append(args, "--step", s)
		}
		if code, out, wrong := call(t, clients, args...); code != 0 || out != "trigger.eventing.knative.dev/"+c.out {
			t.Errorf("%s: code %d, %s%s", c.steps, code, wrong, out)
		}
	}
	all := clients.Eventing.EventingV1().Triggers("image-processing")
	made, err := all.Get(t.Context(), "shop-1-resize", metav1.GetOptions{})
	const about = "Runs resize on uploads under thumbnails/ with target_width=80, for the chain shop."
	if err != nil || made.Spec.Subscriber.URI.String() != "/?target_width=80" ||
		made.Annotations["kubernetes.io/description"] != about {
		t.Errorf("got %v, %v", made, err)
	}
	if _, out, wrong := call(t, clients, "chain", "list"); !strings.Contains(out, "shop    thumbnails/*") {
		t.Errorf("got %s%s", out, wrong)
	}
}

// TestChain_delete: a chain that apply has made is deleted, one Trigger when the one before is gone; others stay.
func TestChain_delete(t *testing.T) {
	clients := shippedChain(t)
	call(t, clients, "chain", "apply", "shop", "--prefix", "thumbnails/", "--step", "resize?target_width=90")
	const gone = "trigger.eventing.knative.dev/shop-1-resize deleted\ntrigger.eventing.knative.dev/shop-2-completed deleted\n"
	slow := deletesSlowly(clients)
	if code, out, wrong := call(t, clients, "chain", "delete", "shop"); code != 0 || out != gone || slow.atOnce > 1 {
		t.Errorf("code %d, %s%s; %d at once", code, wrong, out, slow.atOnce)
	}
	for _, name := range []string{"shop", "chain", ""} {
		code, out, wrong := call(t, clients, "chain", "delete", name)
		if want := `this command has made no chain "` + name + `"; it has made none`; code != 1 || !strings.Contains(wrong, want) {
			t.Errorf("%s: code %d, %s%s", name, code, wrong, out)
		}
	}
}

// slowDeletes counts the Triggers that are being deleted at one time.
type slowDeletes struct{ atOnce int }

// deletesSlowly lets a deleted Trigger be there until it has been read once, as one with a finalizer is.
func deletesSlowly(clients *cluster.Clients) *slowDeletes {
	fake := clients.Eventing.(*fakeeventing.Clientset)
	counts, ending := &slowDeletes{}, map[string]bool{}
	fake.PrependReactor("delete", "triggers", func(a clienttesting.Action) (bool, runtime.Object, error) {
		d := a.(clienttesting.DeleteActionImpl)
		ending[d.Name] = ptr.Deref(d.DeleteOptions.PropagationPolicy, "") == metav1.DeletePropagationForeground
		counts.atOnce = max(counts.atOnce, len(ending))
		return true, nil, nil
	})
	fake.PrependReactor("get", "triggers", func(a clienttesting.Action) (bool, runtime.Object, error) {
		name := a.(clienttesting.GetAction).GetName()
		if !ending[name] {
			return false, nil, nil
		}
		delete(ending, name)
		return false, nil, fake.Tracker().Delete(eventingv1.SchemeGroupVersion.WithResource("triggers"), a.GetNamespace(), name)
	})
	return counts
}

// TestChain_refused: a chain that cannot work is refused, and nothing is changed.
func TestChain_refused(t *testing.T) {
	for says, args := range map[string][]string{
		"--step \"resize\": target_width and target_height: at least one must": {"shop", "--prefix", "thumbnails/", "--step", "resize"},
		"target_width: must be":                             {"shop", "--prefix", "thumbnails/", "--step", "resize?target_width=-8"},
		"target_widht: no such parameter":                   {"shop", "--prefix", "thumbnails/", "--step", "resize?target_widht=8"},
		`no step "resiz"; there are resize, detect, filter`: {"shop", "--prefix", "thumbnails/", "--step", "resiz"},
		"writes <execution id>_resize twice":                {"shop", "--prefix", "other/", "--step", "resize?target_width=8"},
		"it gets an event that its own step leads to": {
			"shop", "--prefix", "thumbnails/", "--step", "resize?target_width=8", "--step", "resize?target_width=4&variant=b",
		},
		"at most 51 characters": {
			strings.Repeat("a", 52), "--prefix", "thumbnails/", "--step", "resize?target_width=8",
		},
		"keys begin with no slash": {
			"shop", "--prefix", "/thumbnails/", "--step", "resize?target_width=8",
		},
		"is not of a chain that this command has made": {"chain", "--prefix", "thumbnails/", "--step", "resize?target_width=8"},
		`there is no broker "shop" in image-processing`: {
			"shop", "--prefix", "thumbnails/", "--broker", "shop", "--step", "resize?target_width=8",
		},
		`NAME is "A b"`:                   {"A b", "--step", "detect"},
		`required flag(s) "step" not set`: {"shop"},
	} {
		clients := shippedChain(t)
		code, _, wrong := call(t, clients, append([]string{"chain", "apply"}, args...)...)
		if code != 1 || !strings.Contains(wrong, says) {
			t.Errorf("%q: code %d, %s\nwant %s", args, code, wrong, says)
		}
		all, err := clients.Eventing.EventingV1().Triggers("image-processing").List(t.Context(), metav1.ListOptions{})
		if err != nil || len(all.Items) != 4 {
			t.Errorf("%q: %d Triggers, %v", args, len(all.Items), err)
		}
	}
}
