package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/scangate/scangate/wechattest"
)

// begin opens the login page, and returns the login's id.
func begin(ctx context.Context, desktop *visitor) (string, error) {
	page, err := desktop.get(ctx, "/wechat/login?return_to="+url.QueryEscape(home))
	if err != nil {
		return "", err
	}
	return between(string(page.body), `data-state-url="/wechat/login/`, `/state"`)
}

// scanLogin is a whole scan login, as browser and phone see it: the login page and
// its QR code; scan, callback, confirm page, answer and the page that says so;
// the page that names the account, and finish. The browser does not ask for news
// in between, for it would wait for that.
func scanLogin(ctx context.Context, w *world, desktop *visitor) error {
	id, err := begin(ctx, desktop)
	if err != nil {
		return err
	}
	if _, err := desktop.get(ctx, "/wechat/login/"+id+"/qr.svg"); err != nil {
		return err
	}
	if err := approve(ctx, w, &visitor{handler: desktop.handler, agent: wechattest.UserAgentPhone}, id); err != nil {
		return err
	}
	if _, err := desktop.get(ctx, "/wechat/login?return_to="+url.QueryEscape(home)); err != nil {
		return err
	}
	done, err := desktop.post(ctx, "/wechat/login/"+id+"/finish", "")
	if err != nil {
		return err
	}
	if to := done.header.Get("Location"); to != home {
		return fmt.Errorf("the login ended at %d %q", done.status, to)
	}
	return nil
}

// approve is the phone's part.
func approve(ctx context.Context, w *world, phone *visitor, id string) error {
	scanned, err := phone.get(ctx, "/wechat/scan/"+id)
	if err != nil {
		return err
	}
	callback, err := w.simulator.Approve(scanned.header.Get("Location"), anyone)
	if err != nil {
		return err
	}
	if _, err := phone.get(ctx, callback); err != nil {
		return err
	}
	page, err := phone.get(ctx, "/wechat/confirm/"+id)
	if err != nil {
		return err
	}
	token, err := between(string(page.body), `name="token" value="`, `"`)
	if err != nil {
		return err
	}
	if _, err := phone.post(ctx, "/wechat/confirm/"+id, "token="+token+"&answer=approve"); err != nil {
		return err
	}
	_, err = phone.get(ctx, "/wechat/confirm/"+id)
	return err
}
