package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

const token = "the-token-of-this-test-0123456789"

// TestToken: without the token, nothing but the page that asks for it, static files and health is answered.
func TestToken(t *testing.T) {
	system := local(t, []string{"GATEWAY_TOKEN=" + token})
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, path := range []string{"/login", "/static/console.css", "/health/readiness", "/health/liveness"} {
		if _, status := head(t, system.url+path); status != http.StatusOK {
			t.Errorf("%s is answered with %d", path, status)
		}
	}
	for _, path := range []string{
		"/", "/executions", "/execution?id=x", "/object?key=x", "/live", "/dead-letters", "/chain", "/models", "/bench", "/health",
		"/nothing",
		"/static/../executions", "/login/", "/v1/models", "/v1/executions",
	} {
		answer, err := client.Get(system.url + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusUnauthorized && answer.StatusCode/100 != 3 {
			t.Errorf("%s is answered with %d", path, answer.StatusCode)
		}
	}
	for _, path := range []string{"/upload", "/dead-letters/replay", "/bench", "/console/events"} {
		answer, err := client.Post(system.url+path, "application/x-www-form-urlencoded", strings.NewReader("a=b"))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusUnauthorized && answer.StatusCode != http.StatusBadRequest {
			t.Errorf("a post to %s is answered with %d", path, answer.StatusCode)
		}
	}
}

// TestSignInStaysHere: no link makes the page for the token lead to another site.
func TestSignInStaysHere(t *testing.T) {
	system := local(t, []string{"GATEWAY_TOKEN=" + token})
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, next := range []string{
		"//other.example/", "https://other.example/", `/\other.example`, "javascript:alert(1)", "/\t/other.example",
		"/%0a/other.example",
	} {
		form := url.Values{"token": {token}, "next": {next}}
		answer, err := client.PostForm(system.url+"/login", form)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		to, err := url.Parse(answer.Header.Get("Location"))
		if err != nil || to.Host != "" || to.Scheme != "" || strings.HasPrefix(answer.Header.Get("Location"), "//") {
			t.Errorf("after signing in, %q leads to %q", next, answer.Header.Get("Location"))
		}
	}
}

// TestSignIn: people enter the token once, and come to the page that they wanted. No script sees the cookie.
func TestSignIn(t *testing.T) {
	system := local(t, []string{"GATEWAY_TOKEN=" + token})
	b := system.open(t, "/executions?status=failed")
	b.enter("wrong")
	b.await(`document.querySelector("[role=alert]")?.innerText.includes("not the token")`)
	b.expect("401")
	b.enter(token)
	b.await(`location.pathname === "/executions" && location.search === "?status=failed"`)
	cookies, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{})
	if err != nil {
		t.Fatal(err)
	}
	if len(cookies.Cookies) != 1 {
		t.Fatalf("cookies: %v", cookies.Cookies)
	}
	if c := cookies.Cookies[0]; !c.HTTPOnly || c.SameSite != network.CookieSameSiteStrict || strings.Contains(c.Value, token) {
		t.Errorf("the cookie is %+v", c)
	}
	if text := get[string](b, "document.cookie"); text != "" {
		t.Errorf("scripts see the cookie %q", text)
	}
	b.visit("/")
	b.choose(sample)
	b.await(isDone)
}

// enter enters a token in the page that asks for it.
func (b *tab) enter(text string) {
	b.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS("[name=token]"), text+"\r"))
}
