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
	"errors"
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

// A MinIO that has just started loads its users and policies while it serves. It refuses to write others
// then, or forgets them. They are written again with a pause, until it has had time to load.
const (
	loading = 30 * time.Second
	pause   = 100 * time.Millisecond
)

// errLoading says that the store refuses to write, or does not know the policy or the user that was just written.
var errLoading = errors.New("the store may still be loading its users")

// SetUser creates a policy, which is a JSON document, and a user that has only this policy. It replaces
// existing ones, and can run again at any time.
func (a *Admin) SetUser(ctx context.Context, accessKey, secretKey, policyName string, policy []byte) error {
	for start := time.Now(); ; {
		err := a.setUser(ctx, accessKey, secretKey, policyName, policy)
		if !errors.Is(err, errLoading) || time.Since(start) > loading {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(pause):
		}
	}
}

func (a *Admin) setUser(ctx context.Context, accessKey, secretKey, policyName string, policy []byte) error {
	text, err := json.Marshal(map[string]string{"secretKey": secretKey, "status": "enabled"})
	if err != nil {
		return err
	}
	sealed, err := seal(a.SecretKey, text)
	if err != nil {
		return err
	}
	if err := a.put(ctx, "add-canned-policy", url.Values{"name": {policyName}}, policy); err != nil {
		return err
	}
	if err := a.put(ctx, "add-user", url.Values{"accessKey": {accessKey}}, sealed); err != nil {
		return err
	}
	return a.put(ctx, "set-user-or-group-policy",
		url.Values{"policyName": {policyName}, "userOrGroup": {accessKey}, "isGroup": {"false"}}, nil)
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
		err = fmt.Errorf("%s: the store answered %s: %w", operation, resp.Status, reason(answer))
	}
	if resp.StatusCode == http.StatusServiceUnavailable {
		err = errors.Join(err, errLoading)
	}
	return err
}

// reason returns the message of an error response, which is usually JSON.
func reason(answer []byte) error {
	var e struct{ Code, Message string }
	if json.Unmarshal(answer, &e) != nil || e.Message == "" {
		return errors.New(strings.TrimSpace(string(answer)))
	}
	if e.Code == "XMinioAdminNoSuchPolicy" || e.Code == "XMinioAdminNoSuchUser" {
		return fmt.Errorf("%w: %s", errLoading, e.Message)
	}
	return errors.New(e.Message)
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
