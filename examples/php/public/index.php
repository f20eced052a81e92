<?php
header('Content-Type: text/plain; charset=utf-8');
echo 'Hello ', $_SERVER['REMOTE_USER'], ', your id is ', $_SERVER['HTTP_REMOTE_ID'], ".\n";
