package cluster

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"knative.dev/serving/pkg/apis/serving"
)

// QueueProxy is the container that Knative adds to the pods of a Service.
const QueueProxy = "queue-proxy"

// RunningPods returns the running pods of a Service: the ready ones first, and of these the newest, which are of its latest
// revision.
func (c *Clients) RunningPods(ctx context.Context, service string) ([]corev1.Pod, error) {
	ofService := metav1.ListOptions{LabelSelector: serving.ServiceLabelKey + "=" + service}
	pods, err := c.Kube.CoreV1().Pods(c.Namespace).List(ctx, ofService)
	if err != nil {
		return nil, err
	}
	found := running(pods.Items)
	slices.SortFunc(found, func(a, b corev1.Pod) int {
		return cmp.Or(unreadyCount(a)-unreadyCount(b), b.CreationTimestamp.Compare(a.CreationTimestamp.Time))
	})
	return found, nil
}

// unreadyCount returns how many containers of a pod are not ready.
func unreadyCount(p corev1.Pod) (n int) {
	for _, c := range p.Status.ContainerStatuses {
		if !c.Ready {
			n++
		}
	}
	return n
}

// running returns the pods that run and are to go on.
func running(pods []corev1.Pod) []corev1.Pod {
	return slices.DeleteFunc(pods, func(p corev1.Pod) bool {
		return p.Status.Phase != corev1.PodRunning || p.DeletionTimestamp != nil
	})
}

// Forward forwards a free port of this machine to the port of a Service's container in one of its pods, until stop is called.
func (c *Clients) Forward(ctx context.Context, service string) (address string, stop func(), err error) {
	pods, err := c.RunningPods(ctx, service)
	if err != nil {
		return "", nil, err
	}
	if len(pods) == 0 {
		return "", nil, fmt.Errorf("no pod of %s runs in %s", service, c.Namespace)
	}
	i := slices.IndexFunc(pods[0].Spec.Containers, func(c corev1.Container) bool { return c.Name != QueueProxy && len(c.Ports) > 0 })
	if i < 0 {
		return "", nil, fmt.Errorf("no container of pod %s has a port", pods[0].Name)
	}
	return c.forward(ctx, pods[0], pods[0].Spec.Containers[i].Ports[0].ContainerPort)
}

// forward forwards a free port of this machine to a port of a pod, until stop is called.
func (c *Clients) forward(ctx context.Context, pod corev1.Pod, port int32) (address string, stop func(), err error) {
	dialer, err := c.dialer(pod)
	if err != nil {
		return "", nil, err
	}
	stopped, ready, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	ports := []string{"0:" + strconv.Itoa(int(port))}
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, ports, stopped, ready, io.Discard, io.Discard)
	if err != nil {
		return "", nil, err
	}
	go func() { ended <- forwarder.ForwardPorts() }()
	select {
	case <-ctx.Done():
		close(stopped)
		return "", nil, ctx.Err()
	case err := <-ended:
		return "", nil, fmt.Errorf("forward a port to pod %s: %w", pod.Name, err)
	case <-ready:
	}
	forwarded, err := forwarder.GetPorts()
	if err != nil {
		close(stopped)
		return "", nil, err
	}
	return "127.0.0.1:" + strconv.Itoa(int(forwarded[0].Local)), func() { close(stopped) }, nil
}

// dialer connects to a pod through the API server: by a websocket or, where the server or a proxy has none, by SPDY.
func (c *Clients) dialer(pod corev1.Pod) (httpstream.Dialer, error) {
	url := c.Kube.CoreV1().RESTClient().Post().
		Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(c.Config)
	if err != nil {
		return nil, err
	}
	websocket, err := portforward.NewSPDYOverWebsocketDialer(url, c.Config)
	if err != nil {
		return nil, err
	}
	bySPDY := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	return portforward.NewFallbackDialer(websocket, bySPDY, needsSPDY), nil
}
