// Package storeadmin creates users and policies in MinIO. It implements only the
// requests of MinIO's admin API that this needs.
package storeadmin

import (
	"bytes"
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"
	"github.com/secure-io/sio-go"
)

// Admin is a client of MinIO's admin API with the credentials of an administrator.
type Admin struct {
	// Endpoint is host:port.
	Endpoint             string
	Secure               bool
	AccessKey, SecretKey string
	Region               string
}

// timeout bounds one request.
const timeout = 15 * time.Second

// SetPolicy creates or replaces a policy. The policy is a JSON document.
func (a *Admin) SetPolicy(ctx context.Context, name string, policy []byte) error {
	return a.put(ctx, "add-canned-policy", url.Values{"name": {name}}, policy)
}

// SetUser creates a user with one policy, or replaces the secret key and the policy of
// an existing user.
func (a *Admin) SetUser(ctx context.Context, accessKey, secretKey, policy string) error {
	text, err := json.Marshal(map[string]string{"secretKey": secretKey, "status": "enabled"})
	if err != nil {
		return err
	}
	sealed, err := seal(a.SecretKey, text)
	if err != nil {
		return err
	}
	if err := a.put(ctx, "add-user", url.Values{"accessKey": {accessKey}}, sealed); err != nil {
		return err
	}
	return a.put(ctx, "set-user-or-group-policy",
		url.Values{"policyName": {policy}, "userOrGroup": {accessKey}, "isGroup": {"false"}}, nil)
}

// put sends a PUT request to the admin API.
func (a *Admin) put(ctx context.Context, operation string, query url.Values, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	target := url.URL{Scheme: "http", Host: a.Endpoint, Path: "/minio/admin/v3/" + operation, RawQuery: query.Encode()}
	if a.Secure {
		target.Scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, target.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Close = true // requests are rare: keep no idle connection
	digest := sha256.Sum256(body)
	req.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(digest[:]))
	resp, err := http.DefaultClient.Do(signer.SignV4(*req, a.AccessKey, a.SecretKey, "", a.Region))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: the store answered %s: %s", operation, resp.Status, reason(answer))
	}
	return err
}

// reason returns the message of an error response, which is usually JSON.
func reason(answer []byte) string {
	var e struct{ Message string }
	if json.Unmarshal(answer, &e) == nil && e.Message != "" {
		return e.Message
	}
	return strings.TrimSpace(string(answer))
}

// MinIO's format for encrypted request bodies: a salt, the id of the key derivation and
// the cipher, a nonce, and the text encrypted in the stream format of secure-io.
const (
	saltBytes      = 32
	pbkdf2AESGCM   = 0x02
	pbkdf2Rounds   = 8192
	derivedKeySize = 32
)

// seal encrypts a text for a server that has the password.
func seal(password string, text []byte) ([]byte, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails
	key, err := pbkdf2.Key(sha256.New, password, salt, pbkdf2Rounds, derivedKeySize)
	if err != nil {
		return nil, err
	}
	stream, err := sio.AES_256_GCM.Stream(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, stream.NonceSize())
	_, _ = rand.Read(nonce)
	var sealed bytes.Buffer
	sealed.Write(salt)
	sealed.WriteByte(pbkdf2AESGCM)
	sealed.Write(nonce)
	w := stream.EncryptWriter(&sealed, nonce, nil)
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	err = w.Close() // writes the last block
	return sealed.Bytes(), err
}
