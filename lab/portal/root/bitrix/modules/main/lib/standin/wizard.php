<?php
namespace Boxlift\Standin;

use Bitrix\Main\Application;
use Bitrix\Main\Config\Configuration;
use Bitrix\Main\Config\Option;
use Bitrix\Main\DB\ConnectionException;

/**
 * The short path of the installation wizard (portal_runtime B): agreement, check_license_key, create_modules,
 * create_admin, finish. The steps travel in the form; nothing is kept between requests but the database.
 */
final class Wizard
{
    private const STEPS = ['agreement', 'check_license_key', 'create_modules', 'create_admin', 'finish'];
    private const STAGES = ['database', 'files'];
    private const LICENSE = '/^[A-Z0-9]{3}-[A-Z]{2}-?[A-Z0-9]{12,30}$/';

    /** @var list<string> */
    private array $errors = [];

    /** The product calls itself installed when table b_user is present; without a connection nobody can know. */
    public static function isInstalled(): bool
    {
        if (Configuration::getValue('connections') === null) {
            return false;
        }
        try {
            return Application::getConnection()->isTableExists('b_user') && self::isFinished();
        } catch (ConnectionException) {
            return false;
        }
    }

    /** Between creating b_user and the last step the wizard goes on; after it, index.php is the start page. */
    private static function isFinished(): bool
    {
        return (int)Db::value('SELECT COUNT(*) FROM b_user') > 0 && !is_file(self::marker());
    }

    private static function marker(): string
    {
        return Application::getDocumentRoot() . '/bitrix/tmp/wizard_running';
    }

    public function answer(): void
    {
        header('X-Powered-CMS: Bitrix Site Manager (' . License::publicHash() . ')');
        $current = Page::field('CurrentStepID');
        $next = Page::field('NextStepID');
        if (!Page::isPost() || !in_array($current, self::STEPS, true)) {
            $this->show('agreement');
            return;
        }
        $done = match ($current) {
            'agreement' => $this->agreement(),
            'check_license_key' => $this->license(),
            'create_modules' => $this->modules(),
            'create_admin' => $this->admin(),
            'finish' => true,
        };
        if ($done === null) {
            return; // an AJAX answer is already out
        }
        $follows = self::STEPS[array_search($current, self::STEPS, true) + 1] ?? 'finish';
        $this->show($done ? (in_array($next, self::STEPS, true) ? $next : $follows) : $current);
    }

    private function agreement(): bool
    {
        if (Page::field('__wiz_agree_license') !== 'Y') {
            $this->errors[] = 'Accept the licence agreement.';
        }
        if (!defined('SHORT_INSTALL')) {
            $this->errors[] = 'Only the short path is here: prepare .settings.php and dbconn.php with SHORT_INSTALL.';
        }
        try {
            $this->errors = [...$this->errors, ...Requirements::problems()];
            if ($this->errors === [] && !is_file(self::marker()) && Application::getConnection()->isTableExists('b_user')) {
                $this->errors[] = 'The database already holds a portal: table b_user is there.';
            }
        } catch (ConnectionException $error) {
            $this->errors[] = $error->getMessage();
        }
        return $this->errors === [];
    }

    private function license(): bool
    {
        $key = trim(Page::field('__wiz_license'));
        if ($key !== '' && !preg_match(self::LICENSE, $key)) {
            $this->errors[] = 'The licence key has a wrong form.';
            return false;
        }
        $file = Application::getDocumentRoot() . '/bitrix/license_key.php';
        if ($key !== '' && !file_put_contents($file, "<?\n\$LICENSE_KEY = \"$key\";\n")) {
            $this->errors[] = 'license_key.php cannot be written.';
            return false;
        }
        return true;
    }

    /** One module and stage a request, answered in the wizard's own script form; then the step is done. */
    private function modules(): ?bool
    {
        $module = Page::field('__wiz_nextStep');
        $stage = Page::field('__wiz_nextStepStage');
        if ($module === '' || $module === '__finish') {
            return true;
        }
        $all = self::modulesToInstall();
        $number = array_search($module, $all, true);
        if ($number === false || !in_array($stage, self::STAGES, true)) {
            $this->errors[] = "There is no step $module/$stage.";
            return false;
        }
        if ($module === 'main' && $stage === 'database') {
            $this->prepareConnection();
        }
        try {
            $stage === 'database' ? Schema::install($module) : self::files($module);
        } catch (\RuntimeException $error) {
            $this->script($module, $stage, 0, $error->getMessage());
            return null;
        }
        if ($stage === 'database') {
            $this->script($module, 'files', (int)(100 * ($number + 0.5) / count($all)));
        } elseif (isset($all[$number + 1])) {
            $this->script($all[$number + 1], 'database', (int)(100 * ($number + 1) / count($all)));
        } else {
            $this->script('__finish', '', 100);
        }
        return null;
    }

    private function script(string $module, string $stage, int $percent, ?string $error = null): void
    {
        header('Content-Type: text/html; charset=UTF-8');
        $text = $error === null
            ? "window.ajaxForm.SetStatus('$percent'); window.ajaxForm.Post('$module', '$stage', '$module');"
            : "window.ajaxForm.ShowError('" . addslashes($error) . "');";
        echo "[response]{$text}[/response]";
    }

    /** The short path for virtual machines writes MySQL 8's collation unless the file is there (portal_runtime 0.1). */
    private function prepareConnection(): void
    {
        $folder = Application::getDocumentRoot() . '/bitrix/tmp';
        if (!is_dir($folder)) {
            mkdir($folder, 0755, true);
        }
        touch(self::marker());
        $file = Application::getDocumentRoot() . '/bitrix/php_interface/after_connect_d7.php';
        if (defined('VM_INSTALL') && !is_file($file)) {
            file_put_contents($file, "<?php\n\$this->queryExecute(\"SET NAMES 'utf8mb4' COLLATE 'utf8mb4_0900_ai_ci'\");\n");
            include $file;
        }
    }

    private static function files(string $module): void
    {
        if ($module === 'main' && Page::field('__wiz_devsrv') === 'Y') {
            Option::set('main', 'update_devsrv', 'Y');
        }
    }

    private function admin(): bool
    {
        $login = trim(Page::field('__wiz_login'));
        $password = Page::field('__wiz_admin_password');
        $email = trim(Page::field('__wiz_email'));
        if (mb_strlen($login) < 3) {
            $this->errors[] = 'The login must have at least 3 characters.';
        }
        if (mb_strlen($password) < 6) {
            $this->errors[] = 'The password must have at least 6 characters.';
        }
        if ($password !== Page::field('__wiz_admin_password_confirm')) {
            $this->errors[] = 'The passwords differ.';
        }
        if (!filter_var($email, FILTER_VALIDATE_EMAIL)) {
            $this->errors[] = 'The e-mail address is wrong.';
        }
        if ($this->errors !== []) {
            return false;
        }
        $user = new \CUser();
        $fields = [
            'LOGIN' => $login, 'PASSWORD' => $password, 'EMAIL' => $email, 'NAME' => Page::field('__wiz_user_name'),
            'LAST_NAME' => Page::field('__wiz_user_surname'), 'ACTIVE' => 'Y', 'GROUP_ID' => [1, 3, 4],
        ];
        $known = Db::value('SELECT ID FROM b_user WHERE ID = 1');
        if ($known === null ? $user->Add($fields) === false : !$user->Update(1, $fields)) {
            $this->errors[] = $user->LAST_ERROR;
            return false;
        }
        Option::set('main', 'email_from', $email);
        unlink(self::marker());
        copy(dirname(__DIR__, 2) . '/install/public/index.php', Application::getDocumentRoot() . '/index.php');
        foreach (['restore.php', 'bitrixsetup.php', 'install.config', 'readme.html'] as $leftover) {
            $file = Application::getDocumentRoot() . '/' . $leftover;
            if (is_file($file)) {
                unlink($file);
            }
        }
        return true;
    }

    private function show(string $step): void
    {
        header('Content-Type: text/html; charset=UTF-8');
        $follows = self::STEPS[array_search($step, self::STEPS, true) + 1] ?? '';
        $fields = match ($step) {
            'agreement' => '<input type="checkbox" name="__wiz_agree_license" value="Y">',
            'check_license_key' => '<input name="__wiz_license"><input type="checkbox" name="__wiz_devsrv" value="Y">',
            'create_modules' => '<input type="hidden" name="__wiz_nextStep" value="main">'
                . '<input type="hidden" name="__wiz_nextStepStage" value="database">',
            'create_admin' => '<input name="__wiz_login"><input type="password" name="__wiz_admin_password">'
                . '<input type="password" name="__wiz_admin_password_confirm"><input name="__wiz_email">'
                . '<input name="__wiz_user_name"><input name="__wiz_user_surname">',
            'finish' => '<a href="/">Open the portal</a>',
        };
        $errors = implode('<br>', array_map('htmlspecialcharsbx', $this->errors));
        echo "<!doctype html><html><head><meta charset=\"UTF-8\"><title>Installation</title></head><body data-step=\"$step\">"
            . ($errors === '' ? '' : "<div id=\"error_text\">$errors</div>")
            . '<form id="__wizard_form" name="__wizard_form" method="post" action="/index.php">'
            . "<input type=\"hidden\" name=\"CurrentStepID\" value=\"$step\"><input type=\"hidden\" name=\"NextStepID\" value=\"$follows\">"
            . "$fields<button name=\"StepNext\" value=\"Y\">Next</button></form></body></html>";
    }

    /** @return list<string> main first, then every module of the distribution that brings a schema or code */
    private static function modulesToInstall(): array
    {
        $folders = array_map('basename', glob(Application::getDocumentRoot() . '/bitrix/modules/*', GLOB_ONLYDIR) ?: []);
        return ['main', ...array_values(array_diff($folders, ['main', 'bitrix24']))];
    }
}
