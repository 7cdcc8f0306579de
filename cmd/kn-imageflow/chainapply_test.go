package main

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/ptr"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"
	fakeeventing "knative.dev/eventing/pkg/client/clientset/versioned/fake"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
)

// applyShop makes or changes the chain shop of the uploads under thumbnails/.
func applyShop(t *testing.T, clients *cluster.Clients, args ...string) (code int, out, wrong string) {
	t.Helper()
	return call(t, clients, append([]string{"chain", "apply", "shop", "--prefix", "thumbnails/", "--step"}, args...)...)
}

// TestChain_applyKeeps: a change keeps what others have added to a Trigger.
func TestChain_applyKeeps(t *testing.T) {
	clients := shippedChain(t)
	applyShop(t, clients, "resize?target_width=90")
	all := clients.Eventing.EventingV1().Triggers("image-processing")
	trigger, err := all.Get(t.Context(), "shop-1-resize", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	trigger.Spec.Subscriber.Audience = ptr.To("image-processing/resize-grpc-service")
	if _, err := all.Update(t.Context(), trigger, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	_, out, wrong := applyShop(t, clients, "resize?target_width=80")
	trigger, err = all.Get(t.Context(), "shop-1-resize", metav1.GetOptions{})
	if err != nil || trigger.Spec.Subscriber.Audience == nil || trigger.Spec.Subscriber.URI.RawQuery != "target_width=80" {
		t.Errorf("%s%s: %v, %+v", out, wrong, err, trigger.Spec.Subscriber)
	}
}

// TestChain_applyBroker: a chain keeps its broker, since Knative refuses a change; nothing is changed then.
func TestChain_applyBroker(t *testing.T) {
	clients := shippedChain(t)
	applyShop(t, clients, "resize?target_width=90", "--step", "detect")
	code, out, wrong := applyShop(t, clients, "resize?target_width=80", "--broker", "fast")
	const want = "chain shop is of the broker default, and not of fast: kn imageflow chain delete shop first"
	if code != 1 || out != "" || !strings.Contains(wrong, want) {
		t.Errorf("code %d, %s%s\nwant %s", code, out, wrong, want)
	}
}

// TestChain_applyOrder: old Triggers with which the new ones would make a loop are deleted before those are made.
func TestChain_applyOrder(t *testing.T) {
	clients := shippedChain(t)
	applyShop(t, clients, "resize?target_width=90", "--step", "detect")
	_, out, wrong := applyShop(t, clients, "detect", "--step", "resize?target_width=90")
	const of = "trigger.eventing.knative.dev/shop-"
	want := of + "1-resize deleted\n" + of + "2-detect deleted\n" + of + "1-detect created\n" + of + "2-resize created\n" +
		of + "3-completed configured\n"
	if out != want {
		t.Errorf("got %s%s\nwant %s", out, wrong, want)
	}
}

// TestChain_applyDuringDelete: a Trigger that is being deleted is made again when it is gone.
func TestChain_applyDuringDelete(t *testing.T) {
	clients := shippedChain(t)
	applyShop(t, clients, "resize?target_width=90")
	deletion := &eventingv1.Trigger{ObjectMeta: metav1.ObjectMeta{Name: "shop-1-resize", DeletionTimestamp: ptr.To(metav1.Now())}}
	fake, asked := clients.Eventing.(*fakeeventing.Clientset), 0
	fake.PrependReactor("get", "triggers", func(a clienttesting.Action) (bool, runtime.Object, error) {
		if name := a.(clienttesting.GetAction).GetName(); name != deletion.Name {
			return false, nil, nil
		}
		asked++
		if asked == 2 { // now it is gone
			resource := eventingv1.SchemeGroupVersion.WithResource("triggers")
			return false, nil, fake.Tracker().Delete(resource, a.GetNamespace(), deletion.Name)
		}
		return asked == 1, deletion, nil
	})
	code, out, wrong := applyShop(t, clients, "resize?target_width=80")
	if code != 0 || !strings.HasPrefix(out, "trigger.eventing.knative.dev/shop-1-resize created\n") {
		t.Errorf("code %d, %s%s", code, out, wrong)
	}
}

// TestChain_applySpace: a step may have a space, which no line of a request can.
func TestChain_applySpace(t *testing.T) {
	code, out, wrong := call(t, shippedChain(t), "chain", "apply", "shop", "--dry-run", "--prefix", "thumbnails/",
		"--step", "detect", "--step", "filter?filter_type=pixelate&redaction.detected=true&redaction.classes=traffic light")
	if code != 0 || !strings.Contains(out, "redaction.classes=traffic%20light\n") {
		t.Errorf("code %d, %s%s", code, out, wrong)
	}
}

// TestChain_names: a chain has the name that apply has given to it, also with numbers and beside another one of the same uploads.
func TestChain_names(t *testing.T) {
	clients := shippedChain(t)
	for name, step := range map[string]string{"shop-2": "resize?target_width=90", "boxes": "detect"} {
		if code, _, wrong := call(t, clients, "chain", "apply", name, "--prefix", "thumbnails/", "--step", step); code != 0 {
			t.Fatal(wrong)
		}
	}
	call(t, clients, "chain", "apply", "shop-3", "--prefix", "redact/", "--step", "resize?target_width=90")
	if _, out, wrong := call(t, clients, "chain", "list"); !strings.Contains(out, "\nshop-3 ") {
		t.Errorf("got %s%s", out, wrong)
	}
	for _, name := range []string{"shop-2", "boxes"} {
		if code, out, wrong := call(t, clients, "chain", "describe", name); code != 0 || !strings.Contains(out, "─ "+name+"-1-") {
			t.Errorf("%s: code %d, %s%s", name, code, out, wrong)
		}
	}
}

// TestChain_deleteStuck: who waits for a Trigger that does not go learns why, and after Ctrl-C that the deletion is not done.
func TestChain_deleteStuck(t *testing.T) {
	defer func(before time.Duration) { messageDelay = before }(messageDelay)
	messageDelay = 0
	clients := shippedChain(t)
	applyShop(t, clients, "resize?target_width=90")
	ctx, stop := context.WithCancel(t.Context())
	fake := clients.Eventing.(*fakeeventing.Clientset)
	fake.PrependReactor("delete", "triggers", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, nil })
	asked := 0
	fake.PrependReactor("get", "triggers", func(a clienttesting.Action) (bool, runtime.Object, error) {
		if asked++; asked > 1 {
			stop()
		}
		stuck := &eventingv1.Trigger{}
		stuck.Name, stuck.Finalizers = a.(clienttesting.GetAction).GetName(), []string{"foregroundDeletion"}
		return true, stuck, nil
	})
	code, out, wrong := callUntil(ctx, clients, "chain", "delete", "shop")
	if code != 1 || out != "" || strings.Count(wrong, "waiting until trigger shop-1-resize is gone") != 1 ||
		!strings.Contains(wrong, "finalizers foregroundDeletion") ||
		!strings.HasSuffix(wrong, "shop-1-resize: interrupted while it was being deleted; the same command continues\n") {
		t.Errorf("code %d, %s%s", code, out, wrong)
	}
}

// TestChain_deleteWaitsForReady: no Trigger is deleted while the Subscriptions of others are being made.
func TestChain_deleteWaitsForReady(t *testing.T) {
	clients := shippedChain(t)
	applyShop(t, clients, "resize?target_width=90")
	fake, lists, deletedAfter := clients.Eventing.(*fakeeventing.Clientset), 0, 0
	fake.PrependReactor("list", "triggers", func(clienttesting.Action) (bool, runtime.Object, error) {
		made := eventingv1.Trigger{}
		made.Name, made.Generation, made.Labels = "shop-1-resize", 2, map[string]string{chainLabel: "shop"}
		made.Status.Conditions = duckv1.Conditions{{Type: apis.ConditionReady, Status: corev1.ConditionTrue}}
		if lists++; lists > 2 {
			made.Status.ObservedGeneration = 2
		}
		return true, &eventingv1.TriggerList{Items: []eventingv1.Trigger{made}}, nil
	})
	fake.PrependReactor("delete", "triggers", func(clienttesting.Action) (bool, runtime.Object, error) {
		deletedAfter = lists
		return false, nil, nil
	})
	o := &options{out: t.Output(), errOut: t.Output(), settling: time.Minute}
	o.connect = func() (*cluster.Clients, error) { return clients, nil }
	if code := run(t.Context(), o, []string{"chain", "delete", "shop"}); code != 0 || deletedAfter != 3 {
		t.Errorf("code %d; deleted after %d lists of Triggers, want 3", code, deletedAfter)
	}
}
