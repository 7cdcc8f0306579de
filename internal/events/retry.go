package events

import (
	"net/http"

	"google.golang.org/grpc/codes"
)

// Retried reports whether Knative's brokers send an event again to a subscriber that
// answered with this HTTP status. Other statuses make a dead letter at once.
func Retried(status int) bool {
	switch status {
	case http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// HTTPStatus returns the HTTP status with which a step answers an event. It is chosen
// so that Retried holds exactly where a retry can succeed: an object that does not
// exist now will not exist later, so NotFound is 422 and not 404.
func HTTPStatus(code codes.Code) int {
	switch code {
	case codes.InvalidArgument:
		return http.StatusBadRequest
	case codes.Unauthenticated:
		return http.StatusUnauthorized
	case codes.NotFound:
		return http.StatusUnprocessableEntity
	case codes.ResourceExhausted:
		return http.StatusTooManyRequests
	case codes.Unavailable, codes.Canceled:
		return http.StatusServiceUnavailable
	case codes.DeadlineExceeded:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// IsPermanent reports whether a broker that refused an event with this HTTP status
// would refuse it again. Other statuses are about the broker, its address or our
// rights, and an operator may change these.
func IsPermanent(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound,
		http.StatusMethodNotAllowed, http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusConflict,
		http.StatusGone, http.StatusMisdirectedRequest, http.StatusLocked, http.StatusTooEarly,
		http.StatusUpgradeRequired, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status < 500
}
