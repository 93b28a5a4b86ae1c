<?php

$plan = require __DIR__ . '/plan.php';

$config = [
    'baseurlpath' => $plan['url'],
    'secretsalt' => 'a test has no secrets',
    'auth.adminpassword' => 'nobody administers this one',
    'timezone' => 'UTC',
    'enable.saml20-idp' => true,
    // Any application may be returned to after a logout.
    'trusted.url.domains' => null,

    // Nothing is kept outside the folder of this one.
    'certdir' => $plan['folder'] . '/',
    'datadir' => $plan['folder'] . '/',
    'tempdir' => $plan['folder'] . '/temp',
    'attributenamemapdir' => $plan['attribute_maps'] . '/',
    'metadata.sources' => [['type' => 'flatfile', 'directory' => __DIR__ . '/metadata/']],
    'store.type' => 'sql',
    'store.sql.dsn' => 'sqlite:' . $plan['folder'] . '/store.sqlite',

    // Cookies know no ports, so every instance on this host has names of its own.
    'session.cookie.name' => 'SimpleSAMLSessionID' . $plan['port'],
    'session.authtoken.cookiename' => 'SimpleSAMLAuthToken' . $plan['port'],
    'session.cookie.secure' => false,
    'session.cookie.samesite' => null,
    'session.duration' => $plan['session_seconds'],
    'language.cookie.secure' => false,
    'language.cookie.samesite' => null,

    'showerrors' => true,
    'errorreporting' => false,
    'logging.handler' => 'errorlog',
    'logging.format' => '%level %msg',
    'logging.level' => SimpleSAML\Logger::INFO,
    'admin.checkforupdates' => false,
    'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
];
