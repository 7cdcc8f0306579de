package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"imageflow.dev/cmd/kn-imageflow/internal/text"
)

// workflowTemplates are Argo's templates.
var workflowTemplates = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "workflowtemplates"}

// argoPort is the port of the URLs in our templates.
const argoPort = 8080

// argoProblem is one thing that Argo's templates lack.
type argoProblem struct{ reason, fix string }

// argo checks what the WorkflowTemplates of ImageFlow need, if there are any.
func (d *Doctor) argo(ctx context.Context) (string, *finding) {
	if _, err := d.Kube.Discovery().ServerResourcesForGroupVersion("argoproj.io/v1alpha1"); err != nil {
		return "not installed", nil
	}
	templates, err := d.Dynamic.Resource(workflowTemplates).Namespace(d.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", &finding{err.Error(), unread}
	}
	if len(templates.Items) == 0 {
		return "no WorkflowTemplates", nil
	}
	problems := slices.Concat(d.argoAgent(ctx, templates.Items), d.argoController(ctx), d.argoGateway(ctx, templates.Items))
	var reasons, fixes []string
	for _, p := range problems {
		reasons = append(reasons, p.reason)
		fixes = append(fixes, p.fix)
	}
	if len(problems) > 0 {
		return "", &finding{strings.Join(reasons, "\n"), strings.Join(slices.Compact(fixes), "\n")}
	}
	return text.Count(len(templates.Items), "WorkflowTemplate") + ", with the rights, the settings and the port that they need", nil
}

// right is a right that an account needs on objects of Argo.
type right struct{ verb, resource, subresource string }

// The rights of the agent, which calls the gateway for each step, and of the controller.
var (
	agentRights = []right{
		{"list", "workflowtasksets", ""}, {"watch", "workflowtasksets", ""}, {"patch", "workflowtasksets", "status"},
		{"create", "workflowtaskresults", ""}, {"patch", "workflowtaskresults", ""},
	}
	controllerRights = []right{{"patch", "workflowtasksets", "status"}}
)

// lacks returns the rights in the namespace of the deployment that an account lacks.
func (d *Doctor) lacks(ctx context.Context, namespace, account string, rights []right) (missing []string) {
	for _, r := range rights {
		review, err := d.Kube.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{
				User: "system:serviceaccount:" + namespace + ":" + account,
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: d.Namespace, Verb: r.verb, Group: workflowTemplates.Group, Resource: r.resource, Subresource: r.subresource,
				},
			}}, metav1.CreateOptions{})
		if err == nil && !review.Status.Allowed { // who may not ask learns nothing
			missing = append(missing, strings.TrimSuffix(r.verb+" "+r.resource+"/"+r.subresource, "/"))
		}
	}
	return missing
}

// argoAgent checks the account of the pods that make the calls of workflows.
func (d *Doctor) argoAgent(ctx context.Context, templates []unstructured.Unstructured) (problems []argoProblem) {
	const fix = "kubectl apply -f config/argo/rbac.yaml"
	var accounts []string
	for _, t := range templates {
		account, _, _ := unstructured.NestedString(t.Object, "spec", "serviceAccountName")
		if account != "" && !slices.Contains(accounts, account) {
			accounts = append(accounts, account)
		}
	}
	for _, account := range accounts {
		secret := account + ".service-account-token"
		if _, err := d.Kube.CoreV1().Secrets(d.Namespace).Get(ctx, secret, metav1.GetOptions{}); err != nil {
			problems = append(problems, argoProblem{"Argo's agent has no token: there is no secret " + secret, fix})
		}
		if missing := d.lacks(ctx, d.Namespace, account, agentRights); len(missing) > 0 {
			problems = append(problems, argoProblem{
				fmt.Sprintf("Argo's agent, account %s, may not %s", account, strings.Join(missing, ", ")), fix,
			})
		}
	}
	return problems
}

// agentSettings are the settings of Argo's controller without which each HTTP step takes up to 20 s longer.
var agentSettings = []string{"ARGO_AGENT_PATCH_RATE=500ms", "DEFAULT_REQUEUE_TIME=1s"}

// argoController checks the rights and the settings of Argo's controller.
func (d *Doctor) argoController(ctx context.Context) (problems []argoProblem) {
	all, err := d.Kube.AppsV1().Deployments(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return []argoProblem{{err.Error(), unread}}
	}
	i := slices.IndexFunc(all.Items, func(a appsv1.Deployment) bool { return a.Name == "workflow-controller" })
	if i < 0 {
		return []argoProblem{{"no Deployment workflow-controller runs Argo's workflows",
			"# install Argo Workflows: https://argo-workflows.readthedocs.io"}}
	}
	controller := all.Items[i]
	account := controller.Spec.Template.Spec.ServiceAccountName
	if missing := d.lacks(ctx, controller.Namespace, account, controllerRights); len(missing) > 0 {
		problems = append(problems, argoProblem{
			fmt.Sprintf("Argo's controller, account %s/%s, may not %s: a workflow stops after its first HTTP step",
				controller.Namespace, account, strings.Join(missing, ", ")),
			"kubectl create clusterrole argo-taskset-status --verb=patch,update --resource=workflowtasksets.argoproj.io/status " +
				"--dry-run=client -o yaml | kubectl apply -f -\n" +
				"kubectl create clusterrolebinding argo-taskset-status --clusterrole=argo-taskset-status --serviceaccount=" +
				controller.Namespace + ":" + account + " --dry-run=client -o yaml | kubectl apply -f -",
		})
	}
	var missing []string
	for _, setting := range agentSettings {
		name, _, _ := strings.Cut(setting, "=")
		has := func(c corev1.Container) bool {
			return slices.ContainsFunc(c.Env, func(v corev1.EnvVar) bool { return v.Name == name })
		}
		if !slices.ContainsFunc(controller.Spec.Template.Spec.Containers, has) {
			missing = append(missing, setting)
		}
	}
	if len(missing) > 0 {
		problems = append(problems, argoProblem{
			"Argo's controller lacks settings, so each HTTP step takes up to 20 s longer: " + strings.Join(missing, " "),
			fmt.Sprintf("kubectl set env -n %s deployment/%s %s", controller.Namespace, controller.Name, strings.Join(missing, " ")),
		})
	}
	return problems
}

// argoGateway checks that the cluster's ingress has the port of the templates: the name of a Knative Service is an alias of the
// ingress's Service.
func (d *Doctor) argoGateway(ctx context.Context, templates []unstructured.Unstructured) []argoProblem {
	address := fmt.Sprintf("http://%s.%s.svc.cluster.local:%d", gatewayService, d.Namespace, argoPort)
	isUsed := func(t unstructured.Unstructured) bool {
		made, err := t.MarshalJSON()
		return err == nil && strings.Contains(string(made), address)
	}
	alias, err := d.Kube.CoreV1().Services(d.Namespace).Get(ctx, gatewayService, metav1.GetOptions{})
	if err != nil || alias.Spec.Type != corev1.ServiceTypeExternalName || !slices.ContainsFunc(templates, isUsed) {
		return nil
	}
	parts := strings.Split(alias.Spec.ExternalName, ".") // NAME.NAMESPACE.svc...
	if len(parts) < 3 {
		return nil
	}
	ingress, err := d.Kube.CoreV1().Services(parts[1]).Get(ctx, parts[0], metav1.GetOptions{})
	if err != nil {
		return []argoProblem{{err.Error(), unread}}
	}
	target := ""
	for _, port := range ingress.Spec.Ports {
		switch port.Port {
		case argoPort:
			return nil
		case 80:
			target = port.TargetPort.String()
			if port.TargetPort.IntValue() == 0 { // a name of a port
				target = `"` + target + `"`
			}
		}
	}
	return []argoProblem{{
		fmt.Sprintf("the templates call %s, but Service %s in %s has no port %d", address, parts[0], parts[1], argoPort),
		fmt.Sprintf(`kubectl patch service -n %s %s --type json `+
			`-p '[{"op":"add","path":"/spec/ports/-","value":{"name":"http-8080","port":%d,"targetPort":%s}}]'`,
			parts[1], parts[0], argoPort, target),
	}}
}
