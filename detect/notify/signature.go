package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"pulse/detect/secret"
)

// secretPrefix marks the text form of a symmetric Standard Webhooks secret.
const secretPrefix = "whsec_"

// signingKey reads the key out of a receiver's secret: whsec_ followed by base64
// of 24 to 64 bytes. Errors never carry the text.
func signingKey(s secret.Text) ([]byte, error) {
	encoded, ok := strings.CutPrefix(s.Reveal(), secretPrefix)
	if !ok {
		return nil, errors.New("must begin with " + secretPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("must be base64 after " + secretPrefix)
	}
	if len(key) < 24 || len(key) > 64 {
		return nil, fmt.Errorf("must hold 24 to 64 bytes, has %d", len(key))
	}
	return key, nil
}

// signature returns the value of the webhook-signature header: one
// `v1,<base64>` per key, separated by a blank, each the HMAC-SHA256 of
// id.timestamp.body. Source: Standard Webhooks 1.0.0.
func signature(keys [][]byte, id string, timestamp int64, body []byte) string {
	var out strings.Builder
	for i, key := range keys {
		mac := hmac.New(sha256.New, key)
		io.WriteString(mac, id+"."+strconv.FormatInt(timestamp, 10)+".")
		mac.Write(body)
		if i > 0 {
			out.WriteByte(' ')
		}
		out.WriteString("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return out.String()
}
