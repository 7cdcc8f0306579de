package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imageflow.dev/cmd/kn-imageflow/internal/text"
)

// servingNamespace is where Knative Serving runs, with its settings.
const servingNamespace = "knative-serving"

func (d *Doctor) reachable(ctx context.Context) (string, *finding) {
	nodes, err := d.Kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if apierrors.IsForbidden(err) { // as for an account of the namespace alone
		return "it answers; " + err.Error(), nil
	}
	if err != nil {
		return "", &finding{err.Error(),
			"kubectl config get-contexts  # then name a cluster: --kubeconfig, --context, KUBECONFIG or kubectl config use-context"}
	}
	return text.Count(len(nodes.Items), "node"), nil
}

func (d *Doctor) knative(context.Context) (string, *finding) {
	var missing []string
	for _, kinds := range []string{"serving.knative.dev/v1", "eventing.knative.dev/v1"} {
		if _, err := d.Kube.Discovery().ServerResourcesForGroupVersion(kinds); err != nil {
			missing = append(missing, kinds+": "+err.Error())
		}
	}
	if len(missing) > 0 {
		return "", &finding{strings.Join(missing, "\n"), "# install Knative Serving and Eventing: https://knative.dev/docs/install"}
	}
	return "Serving and Eventing", nil
}

// neededFeatures are the flags of Knative without which it refuses the manifest of detect.
var neededFeatures = []string{"kubernetes.podspec-nodeselector", "kubernetes.podspec-tolerations"}

func (d *Doctor) features(ctx context.Context) (string, *finding) {
	config, err := d.Kube.CoreV1().ConfigMaps(servingNamespace).Get(ctx, "config-features", metav1.GetOptions{})
	if err != nil {
		return "", &finding{err.Error(), unread}
	}
	var missing, settings []string
	for _, flag := range neededFeatures {
		if config.Data[flag] != "enabled" {
			missing = append(missing, flag+" is not enabled; detect needs it to select GPU nodes")
		}
		settings = append(settings, fmt.Sprintf("%q:%q", flag, "enabled"))
	}
	if len(missing) > 0 {
		return "", &finding{strings.Join(missing, "\n"), fmt.Sprintf("kubectl patch configmap -n %s config-features "+
			"--type merge -p '{\"data\":{%s}}'", servingNamespace, strings.Join(settings, ","))}
	}
	return "nodeSelector and tolerations are allowed", nil
}

func (d *Doctor) namespaced(ctx context.Context) (string, *finding) {
	if _, err := d.Kube.CoreV1().Namespaces().Get(ctx, d.Namespace, metav1.GetOptions{}); err != nil {
		return "", &finding{err.Error(), deploy}
	}
	return d.Namespace, nil
}

// secretKeys are the keys that ImageFlow needs of secrets, by the name of the secret.
type secretKeys map[string][]string

func (s secretKeys) add(name, key string) {
	if !slices.Contains(s[name], key) {
		s[name] = append(s[name], key)
	}
}

// secrets checks the secrets that every deployment needs and those that its Services read, but for the webhooks'.
func (d *Doctor) secrets(ctx context.Context) (string, *finding) {
	wanted := secretKeys{"minio-credentials": {"access-key", "secret-key"}, "bridge-token": {"token"}, signingKeys: {"keys"}}
	readers := map[string][]string{}
	services, err := d.allServices(ctx)
	if err != nil {
		return "", &finding{err.Error(), unread}
	}
	for _, s := range services {
		for _, v := range variables(s) {
			if from := secretOf(v); from != nil && !isOptional(from) && s.Name != notifyService {
				wanted.add(from.Name, from.Key)
			}
			if from := secretOf(v); from != nil && !slices.Contains(readers[from.Name], s.Name) {
				readers[from.Name] = append(readers[from.Name], s.Name)
			}
		}
	}
	var reasons, fixes []string
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if reason, fix := d.secret(ctx, name, wanted[name], readers[name]); reason != "" {
			reasons, fixes = append(reasons, reason), append(fixes, fix)
		}
	}
	if len(reasons) > 0 {
		return "", &finding{strings.Join(reasons, "\n"), strings.Join(fixes, "\n")}
	}
	return strings.Join(slices.Sorted(maps.Keys(wanted)), ", "), nil
}

// signingKeys is the secret with the keys that sign events.
const signingKeys = "event-signing-keys"

// secret returns what a secret lacks, and the fix; empty if it has all keys. readers are the Services that read it.
func (d *Doctor) secret(ctx context.Context, name string, keys, readers []string) (reason, fix string) {
	secret, err := d.Kube.CoreV1().Secrets(d.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return err.Error(), unread
	}
	var missing []string
	for _, key := range keys {
		if err != nil || len(secret.Data[key]) == 0 {
			missing = append(missing, key)
		}
	}
	switch {
	case len(missing) == 0:
		return "", ""
	case err != nil:
		reason = "there is no secret " + name
	default:
		reason = fmt.Sprintf("secret %s has no %s", name, strings.Join(missing, " and no "))
	}
	if err != nil {
		fix = d.createSecret(name, keys)
	} else {
		fix = d.addKeys(name, missing)
	}
	if len(readers) > 0 {
		fix += "\n" + d.restart(readers...)
	}
	if name == bridgeToken {
		fix += "\n# then set MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_IMAGEFLOW=\"Bearer TOKEN\" of MinIO, and restart it"
	}
	return reason, fix
}

// createSecret is the fix of a secret that does not exist.
func (d *Doctor) createSecret(name string, keys []string) string {
	fix := fmt.Sprintf("kubectl create secret generic -n %s %s", d.Namespace, name)
	for _, key := range keys {
		fix += fmt.Sprintf(" --from-literal=%s=%s", key, newValue(name, key))
	}
	return fix
}

// addKeys is the fix of a secret that lacks keys.
func (d *Doctor) addKeys(name string, keys []string) string {
	var pairs []string
	for _, key := range keys {
		pairs = append(pairs, fmt.Sprintf(`"%s":"'%s'"`, key, newValue(name, key)))
	}
	return fmt.Sprintf("kubectl patch secret -n %s %s -p '{\"stringData\":{%s}}'", d.Namespace, name, strings.Join(pairs, ","))
}

// newValue returns the text of a shell that becomes a new value of a key of a secret: a random one, or the one in a variable.
func newValue(secret, key string) string {
	switch secret {
	case signingKeys, bridgeToken, gatewayToken:
		return `"$(openssl rand -hex 32)"`
	}
	variable := strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
	return fmt.Sprintf(`"${%s:?of the secret %s}"`, variable, secret)
}

// store checks the store from the bridge's pod, which must reach it.
func (d *Doctor) store(ctx context.Context) (string, *finding) {
	pod := d.runningPod(ctx, bridgeService)
	if pod == nil {
		return "", &finding{"the store cannot be checked, since no pod of the bridge runs", d.describePods(bridgeService)}
	}
	report, err := d.imageflow(ctx, pod, "setup", "--check")
	if err != nil {
		const admin = "minio-credentials"
		return "", &finding{err.Error(), fmt.Sprintf("kubectl exec -n %s %s -c %s -- "+
			"env MINIO_ACCESS_KEY=%s MINIO_SECRET_KEY=%s /imageflow setup", d.Namespace, pod.Name, userContainer(pod),
			fromSecret(d.Namespace, admin, "access-key"), fromSecret(d.Namespace, admin, "secret-key"))}
	}
	return report, nil
}

// formats reports the formats of the deployed resize. It fails only if a pod does not answer,
// since a missing format may be intended.
func (d *Doctor) formats(ctx context.Context) (string, *finding) {
	pod := d.runningPod(ctx, resizeService)
	if pod == nil {
		return "not known, since no pod of resize runs; GET /v1/formats starts one and lists them", nil
	}
	report, err := d.imageflow(ctx, pod, "formats")
	if err != nil {
		return "", &finding{err.Error(), d.describePods(resizeService)}
	}
	return report, nil
}

// imageflow runs a command of imageflow in a pod and returns its output.
func (d *Doctor) imageflow(ctx context.Context, pod *corev1.Pod, args ...string) (string, error) {
	return d.pods.Exec(ctx, pod.Name, userContainer(pod), append([]string{"/imageflow"}, args...)...)
}
