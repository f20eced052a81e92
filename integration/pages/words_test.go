//go:build integration

package pages

// Addresses of the gateway's own pages.
const (
	account  = "/auth-gateway/account"
	factors  = account + "/second-factor"
	name     = account + "/name"
	password = account + "/password"
)

// What the pages say.
var (
	signIn      = words{"Sign in to localhost", "localhost"}
	signOut     = words{"Sign out of localhost", "サインアウトしますか"}
	signedOut   = words{"You are signed out", "サインアウトしました"}
	wizardApp   = words{"Set up your authenticator app", "認証アプリを設定してください"}
	wizardMail  = words{"Set up passcodes by e-mail", "メールの認証コードを設定してください"}
	wizardSMS   = words{"Set up passcodes by SMS", "SMS の認証コードを設定してください"}
	addApp      = words{"Add an authenticator app", "認証アプリの追加"}
	addMail     = words{"Add passcodes by e-mail", "メールの認証コードの追加"}
	codesShown  = words{"Keep your recovery codes", "リカバリーコードを保管してください"}
	passcode    = words{"Enter your passcode", "認証コードを入力してください"}
	yourAccount = words{"Your account", "アカウント"}
	yourFactors = words{"Your second factor", "2段階認証"}
	yourName    = words{"Change your name", "名前の変更"}
	newPassword = words{"Change your password", "パスワードの変更"}
	forgotten   = words{"Forgot your password?", "パスワードをお忘れの場合"}
	lookInMail  = words{"Look into your mail", "メールをご確認ください"}
	setPassword = words{"Set a new password", "新しいパスワードの設定"}
	passwordSet = words{"Your password is set", "パスワードを設定しました"}
	linkOver    = words{"This link no longer works", "このリンクは"}
	noPage      = words{"There is no page here", "ページ"}
)

// What they say in role="alert".
var (
	noPassword      = words{"Enter your password.", "パスワードを入力してください"}
	wrongPassword   = words{"is not right", "正しくありません"}
	shortPassword   = words{"too short", "短"}
	noEmail         = words{"Enter your e-mail address.", "メールアドレスを入力してください"}
	noPasscode      = words{"Enter the passcode.", "認証コードを入力してください"}
	wrongSent       = words{"Enter the one that was sent last", "最後にお送りしたもの"}
	wrongApp        = words{"Wait for the next one", "次のコードが表示されたら"}
	tooEarly        = words{"It is too early", "まだ次の認証コードを送信できません"}
	noNumber        = words{"Enter your phone number.", "電話番号を入力してください"}
	noPhone         = words{"code of its country is missing", "国番号がありません"}
	noRecovery      = words{"Enter a recovery code.", "リカバリーコードを入力してください"}
	wrongRecovery   = words{"That recovery code is not right", "リカバリーコードが正しくない"}
	undelivered     = words{"could not be delivered so far", "まだお届けできていません"}
	forgot          = words{"asked for a passcode again", "次から認証コードの入力を求められます"}
	preferred       = words{"asked for this one first", "この方法を最初に使います"}
	removed         = words{"has been removed", "削除しました"}
	kept            = words{"at every sign-in", "サインインのたびに"}
	renamed         = words{"Your name has been changed", "名前を変更しました"}
	unusableName    = words{"cannot be used", "使えません"}
	passwordChanged = words{"Your password has been changed", "パスワードを変更しました"}
	sessionEnded    = words{"That session has been ended", "サインインを終了しました"}
	othersEnded     = words{"signed out everywhere else", "ほかのすべてのブラウザーからサインアウトしました"}
)
