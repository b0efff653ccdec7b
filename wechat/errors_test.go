package wechat_test

import (
	"fmt"
	"testing"

	"github.com/scangate/scangate/wechat"
)

// testKinds tests that each errcode, from any call, becomes an error of the kind.
func testKinds(t *testing.T, want error, codes ...int) {
	t.Helper()
	for _, code := range codes {
		for op, call := range operations {
			t.Run(fmt.Sprint(op, " ", code), func(t *testing.T) { testErrcode(t, op, call, code, want) })
		}
	}
}

func TestCaseC01FrozenAccountIsConfiguration(t *testing.T) {
	testKinds(t, wechat.ErrConfiguration, 50002)
}

func TestCaseC02RestrictedAccountIsConfiguration(t *testing.T) {
	testKinds(t, wechat.ErrConfiguration, 40243, 48004, 61004, 61007, 89501, 89503, 89506, 89507)
}

func TestCaseC02BlockedPersonIsRefused(t *testing.T) {
	testKinds(t, wechat.ErrRefused, 40226)
}
