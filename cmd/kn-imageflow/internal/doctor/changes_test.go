package doctor

import (
	"errors"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fakekube "k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"imageflow.dev/internal/processors"
)

// must ends the test at an error of a change.
func (d *deployment) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// fail makes calls of the cluster fail.
func (d *deployment) fail(verb, kind, reason string) {
	d.Kube.(*fakekube.Clientset).PrependReactor(verb, kind, func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New(reason)
	})
}

func (d *deployment) service(name string, change func(*servingv1.Service)) {
	services := d.Serving.ServingV1().Services(testNamespace)
	s, err := services.Get(d.t.Context(), name, metav1.GetOptions{})
	d.must(err)
	change(s)
	_, err = services.Update(d.t.Context(), s, metav1.UpdateOptions{})
	d.must(err)
}

func (d *deployment) trigger(name string, change func(*eventingv1.Trigger)) {
	all := d.Eventing.EventingV1().Triggers(testNamespace)
	t, err := all.Get(d.t.Context(), name, metav1.GetOptions{})
	d.must(err)
	change(t)
	_, err = all.Update(d.t.Context(), t, metav1.UpdateOptions{})
	d.must(err)
}

func (d *deployment) configMap(namespace, prefix string, change func(*corev1.ConfigMap)) {
	maps := d.Kube.CoreV1().ConfigMaps(namespace)
	all, err := maps.List(d.t.Context(), metav1.ListOptions{})
	d.must(err)
	for _, m := range all.Items {
		if strings.HasPrefix(m.Name, prefix) {
			change(&m)
			_, err = maps.Update(d.t.Context(), &m, metav1.UpdateOptions{})
			d.must(err)
			return
		}
	}
	d.t.Fatalf("no configmap %s", prefix)
}

func (d *deployment) secretData(name string, change func(map[string][]byte)) {
	secrets := d.Kube.CoreV1().Secrets(testNamespace)
	s, err := secrets.Get(d.t.Context(), name, metav1.GetOptions{})
	d.must(err)
	change(s.Data)
	_, err = secrets.Update(d.t.Context(), s, metav1.UpdateOptions{})
	d.must(err)
}

func (d *deployment) removeSecret(name string) {
	d.must(d.Kube.CoreV1().Secrets(testNamespace).Delete(d.t.Context(), name, metav1.DeleteOptions{}))
}

func (d *deployment) addSecret(name string, data map[string]string) {
	s := &corev1.Secret{ObjectMeta: meta(name), Data: map[string][]byte{}}
	for key, value := range data {
		s.Data[key] = []byte(value)
	}
	_, err := d.Kube.CoreV1().Secrets(testNamespace).Create(d.t.Context(), s, metav1.CreateOptions{})
	d.must(err)
}

func (d *deployment) removePod(service string) {
	d.must(d.Kube.CoreV1().Pods(testNamespace).Delete(d.t.Context(), service+"-pod", metav1.DeleteOptions{}))
}

func (d *deployment) part(namespace, name string, change func(*appsv1.Deployment)) {
	parts := d.Kube.AppsV1().Deployments(namespace)
	p, err := parts.Get(d.t.Context(), name, metav1.GetOptions{})
	d.must(err)
	change(p)
	_, err = parts.Update(d.t.Context(), p, metav1.UpdateOptions{})
	d.must(err)
}

// detectOnGPU makes detect request a GPU of a kind.
func (d *deployment) detectOnGPU(kind string) {
	d.service(processors.Detect.Host, func(s *servingv1.Service) {
		spec := &s.Spec.Template.Spec
		spec.NodeSelector = map[string]string{"gpu": kind}
		spec.Containers[0].Resources.Limits = corev1.ResourceList{gpuResource: resource.MustParse("1")}
	})
}

func (d *deployment) withoutGPUs() {
	nodes := d.Kube.CoreV1().Nodes()
	n, err := nodes.Get(d.t.Context(), "node-1", metav1.GetOptions{})
	d.must(err)
	n.Status.Allocatable[gpuResource] = resource.MustParse("0")
	_, err = nodes.Update(d.t.Context(), n, metav1.UpdateOptions{})
	d.must(err)
}

// notReady is the status of an object that is not ready.
func notReady(reason string) duckv1.Status {
	return duckv1.Status{Conditions: duckv1.Conditions{{Type: apis.ConditionReady, Status: corev1.ConditionFalse, Reason: reason}}}
}

// addTrigger adds a Trigger like the first one of the chain.
func (d *deployment) addTrigger(name, service, uri string) {
	all := d.Eventing.EventingV1().Triggers(testNamespace)
	t, err := all.Get(d.t.Context(), "chain-1-resize", metav1.GetOptions{})
	d.must(err)
	t.Name, t.CreationTimestamp = name, metav1.Now()
	t.Spec.Subscriber.Ref.Name = service
	t.Spec.Subscriber.URI, err = apis.ParseURL(uri)
	d.must(err)
	_, err = all.Create(d.t.Context(), t, metav1.CreateOptions{})
	d.must(err)
}

// notifyWith adds notify with the content of its secret, and a Trigger for a hook.
func (d *deployment) notifyWith(urls, secrets, hook string) {
	from := func(key string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "webhooks"}, Key: key,
		}}
	}
	s := &servingv1.Service{ObjectMeta: meta(notifyService)}
	s.Spec.Template.Spec.Containers = []corev1.Container{{Image: "dev.local/imageflow:dev", Env: []corev1.EnvVar{
		{Name: "HOOK_URLS", ValueFrom: from("urls")}, {Name: "HOOK_SECRETS", ValueFrom: from("secrets")},
	}}}
	s.Status.Status = ready
	_, err := d.Serving.ServingV1().Services(testNamespace).Create(d.t.Context(), s, metav1.CreateOptions{})
	d.must(err)
	d.addSecret("webhooks", map[string]string{"urls": urls, "secrets": secrets})
	d.addTrigger("shop", notifyService, "/?hook="+hook)
}
