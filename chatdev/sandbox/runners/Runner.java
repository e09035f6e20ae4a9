package chatdev;

import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.engine.JupiterTestEngine;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.TestExecutionResult.Status;
import org.junit.platform.engine.discovery.ClassNameFilter;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherConfig;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.vintage.engine.VintageTestEngine;

/**
 * Runs the tests of a product in Java: of JUnit 4 and 5, and classes with a main() that throws when something is wrong.
 *
 * <p>Every line that counts begins with a secret, which is read and used up before the first class of the product is
 * loaded, and goes to the standard output as it was then: what else is printed is not counted.
 */
public final class Runner implements TestExecutionListener {
    private static final int DEEP = 12;
    private static final String OTHERS = "(org\\.junit|java|jdk|chatdev)\\..*";

    private final String secret;
    private final PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), true);
    private final Set<String> tested = new LinkedHashSet<>();
    private int failures;

    private Runner(String secret) {
        this.secret = secret;
    }

    /** The arguments: the folder of the classes, and the full names of those that may be tests. */
    public static void main(String[] arguments) throws Exception {
        Runner runner = new Runner(line());
        List<String> classes = List.of(arguments).subList(1, arguments.length);
        runner.runJunit(Path.of(arguments[0]), classes);
        for (String name : classes) {
            runner.runMain(name);
        }
        System.exit(runner.failures == 0 ? 0 : 1);
    }

    private static String line() throws IOException {
        ByteArrayOutputStream read = new ByteArrayOutputStream();
        for (int next = System.in.read(); next >= 0 && next != '\n'; next = System.in.read()) {
            read.write(next);
        }
        return read.toString(StandardCharsets.US_ASCII);
    }

    private void runJunit(Path folder, List<String> classes) {
        String[] patterns =
            classes.stream().map(name -> Pattern.quote(name) + "(\\$.*)?").toArray(String[]::new);
        LauncherDiscoveryRequest request = LauncherDiscoveryRequestBuilder.request()
            .selectors(DiscoverySelectors.selectClasspathRoots(Set.of(folder)))
            .filters(ClassNameFilter.includeClassNamePatterns(patterns))
            .configurationParameter("junit.jupiter.extensions.autodetection.enabled", "false")
            .build();
        // What judges is named here: files that the product brings register nothing.
        LauncherConfig config = LauncherConfig.builder()
            .enableTestEngineAutoRegistration(false)
            .addTestEngines(new JupiterTestEngine(), new VintageTestEngine())
            .enableTestExecutionListenerAutoRegistration(false)
            .enableLauncherSessionListenerAutoRegistration(false)
            .enablePostDiscoveryFilterAutoRegistration(false)
            .build();
        Launcher launcher = LauncherFactory.create(config);
        launcher.execute(launcher.discover(request), this);
    }

    @Override
    public void testPlanExecutionStarted(TestPlan plan) {
        for (TestIdentifier root : plan.getRoots()) {
            for (TestIdentifier each : plan.getDescendants(root)) {
                method(each).ifPresent(method -> tested.add(outermost(method.getDeclaringClass()).getName()));
            }
        }
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
        String name = method(test).map(Runner::name).orElse(test.getDisplayName());
        if (result.getStatus() == Status.FAILED) {
            failed(name, result.getThrowable().orElse(null));
        } else if (test.isTest() && result.getStatus() == Status.SUCCESSFUL) {
            tell("ok " + name);
        }
    }

    private void runMain(String name) throws ReflectiveOperationException {
        Class<?> type;
        Method main;
        try {
            type = Class.forName(name, false, Runner.class.getClassLoader());
            main = type.getMethod("main", String[].class);
        } catch (ClassNotFoundException | NoSuchMethodException error) {
            return;
        }
        String told = type.getSimpleName() + ".main";
        if (tested.contains(name)) {
            tell("left " + told);
            return;
        }
        try {
            main.setAccessible(true);
            main.invoke(null, (Object) new String[0]);
            tell("ok " + told);
        } catch (InvocationTargetException error) {
            failed(told, error.getCause());
        }
    }

    private static Optional<Method> method(TestIdentifier test) {
        return test.getSource()
            .filter(MethodSource.class::isInstance)
            .map(source -> ((MethodSource) source).getJavaMethod());
    }

    private static String name(Method method) {
        return outermost(method.getDeclaringClass()).getSimpleName() + "." + method.getName();
    }

    private static Class<?> outermost(Class<?> type) {
        return type.getEnclosingClass() == null ? type : outermost(type.getEnclosingClass());
    }

    private void failed(String name, Throwable error) {
        failures++;
        tell("failed " + name + (error == null ? "" : ": " + error));
        if (error != null) {
            out.println(Stream.of(error.getStackTrace()).filter(frame -> !frame.getClassName().matches(OTHERS))
                .limit(DEEP).map(frame -> "    at " + frame).collect(Collectors.joining("\n")));
        }
    }

    private void tell(String text) {
        System.out.flush();
        out.print("\n" + secret + " " + text + "\n");
        out.flush();
    }
}
